//! What is sold.

use serde::Serialize;

/// Something to be sold.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) id: &'static str,
    pub(crate) category: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The least that is bid for it, in cents.
    pub(crate) start: u64,
}

pub(crate) const CATEGORIES: [&str; 4] = ["Maps", "Clocks", "Instruments", "Pottery"];

pub(crate) static ITEMS: [Item; 12] = [
    item(
        "coast-chart",
        "Maps",
        "Chart of a rocky coast",
        "Copper engraving, soundings in fathoms.",
        4_000,
    ),
    item(
        "moon-atlas",
        "Maps",
        "Atlas of the Moon",
        "Forty plates, one of them upside down.",
        12_500,
    ),
    item(
        "canal-plan",
        "Maps",
        "Plan of a canal never dug",
        "Ink on linen, with the engineer's regrets.",
        2_500,
    ),
    item(
        "ship-clock",
        "Clocks",
        "Ship's clock",
        "Brass. Strikes the watches, runs eight days.",
        9_000,
    ),
    item(
        "cuckoo",
        "Clocks",
        "Clock without its cuckoo",
        "The door still opens on the hour.",
        1_500,
    ),
    item(
        "regulator",
        "Clocks",
        "Observatory regulator",
        "Loses a second a month, and says so.",
        30_000,
    ),
    item("viola", "Instruments", "Viola", "Spruce and pear wood, a warm low string.", 18_000),
    item(
        "accordion",
        "Instruments",
        "Button accordion",
        "Three rows, new bellows, old songs.",
        6_500,
    ),
    item(
        "sextant",
        "Instruments",
        "Sextant in its case",
        "Silvered arc, all its shades, no ship.",
        7_500,
    ),
    item("salt-jar", "Pottery", "Salt-glazed jar", "Grey, with a blue bird by a sure hand.", 2_000),
    item("tea-bowl", "Pottery", "Mended tea bowl", "Broken in three, joined in gold.", 5_500),
    item(
        "tiles",
        "Pottery",
        "Nine tiles of a tenth ship",
        "One sail is missing. It is a good story.",
        3_000,
    ),
];

/// Returns what has this id.
pub(crate) fn find(id: &str) -> Option<&'static Item> {
    ITEMS.iter().find(|item| item.id == id)
}

const fn item(
    id: &'static str,
    category: &'static str,
    name: &'static str,
    about: &'static str,
    start: u64,
) -> Item {
    Item { id, category, name, about, start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_a_category_and_found_by_an_id_of_its_own() {
        for item in &ITEMS {
            assert!(CATEGORIES.contains(&item.category), "{}", item.id);
            assert!(std::ptr::eq(find(item.id).unwrap(), item), "{}", item.id);
        }
        assert!(find("nothing").is_none() && find("").is_none());
    }
}
