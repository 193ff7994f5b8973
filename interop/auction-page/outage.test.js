// The link to a room breaks: nobody bids meanwhile, nothing is missed, and one bids on.

import {bid, isOpen, leads, oneAuction, sees} from '../lib/auction-page.js';
import {openLink} from '../lib/link.js';

const atTheAuction = oneAuction();

atTheAuction('what is bid while a link breaks is seen, and one bids on', async ({room, visit, urlOf}) => {
  const Bob = await room('B', 'Bob');
  await isOpen(Bob);
  const link = await openLink({port: Number(new URL(await urlOf('A')).port), host: '127.0.0.1'});
  try {
    const Ann = await visit(`${link.origin}/`, 'Ann');
    await isOpen(Ann);
    await Ann.waitForSelector('.lot[data-item=viola] .bid:enabled');
    // What she is told of herself has come, and is not what is lost.
    await sees(Ann, ['Ann', 'Bob']);
    // It may be over soon.
    const off = Ann.waitForSelector(
      'body:has(#status[data-state=reconnecting]):has(.lot[data-item=viola] .bid:disabled):has(#say:disabled)',
    );
    const lost = link.loseNext();
    await bid(Bob, 'tiles', 50);
    await lost;
    await off;
    await Ann.waitForSelector('#status[data-state=connected]');
    await leads(Ann, 'tiles', 'Bob', 50);
    await bid(Ann, 'viola', 500);
    await leads(Bob, 'viola', 'Ann', 500);
  } finally {
    await link.close();
  }
});
