// Two people chat on the demo page, in public and in private, over each transport.

import assert from 'node:assert/strict';

import {
  TRANSPORTS,
  choose,
  connected,
  entry,
  join,
  members,
  onTheDemoPage,
  picture,
  say,
} from '../lib/demo-page.js';

for (const transport of TRANSPORTS) {
  onTheDemoPage(`three people chat over ${transport}`, async ({open}) => {
    const people = {};
    for (const user of ['Ann', 'Bob', 'Cyd']) {
      const page = await open();
      await connected(page, 'websocket');
      if (transport !== 'websocket') await choose(page, transport);
      await join(page, user, 'lobby');
      people[user] = page;
    }
    const {Ann, Bob, Cyd} = people;
    await Ann.waitForSelector('#members li[data-user=Cyd]');
    assert.deepEqual(await members(Ann), ['Ann', 'Bob', 'Cyd']);
    assert.equal(await Ann.locator('#member-count').textContent(), '3');

    await say(Ann, 'Hello everybody, Grüße 😀 <b>not bold</b>');
    for (const page of [Ann, Bob, Cyd]) {
      const said = entry(page, 'chat', 'Hello everybody, Grüße 😀 <b>not bold</b>');
      await said.waitFor();
      assert.equal(await said.count(), 1);
      assert.equal(await said.getAttribute('data-user'), 'Ann');
    }

    await say(Bob, 'Between you and me', ['Ann']);
    for (const page of [Ann, Bob]) await entry(page, 'private', 'Between you and me').waitFor();
    await say(Bob, 'And now for all');
    await entry(Cyd, 'chat', 'And now for all').waitFor();
    assert.equal(await entry(Cyd, 'private', 'Between you and me').count(), 0);
    await picture(Bob, `chat-${transport}`);

    await Cyd.click('#leave');
    await entry(Ann, 'membership', 'Cyd has left').waitFor();
    await Cyd.context().close();
    await Ann.waitForFunction(() => !document.querySelector('#members li[data-user=Cyd]'));
    assert.deepEqual(await members(Bob), ['Ann', 'Bob']);
    for (const page of [Ann, Bob]) assert.deepEqual(page.complaints, []);
  });
}

onTheDemoPage('a conversation goes on when the transport is changed', async ({open}) => {
  const Ann = await open();
  const Bob = await open();
  await join(Ann, 'Ann', 'workshop');
  await join(Bob, 'Bob', 'workshop');
  for (const transport of ['long-polling', 'callback-polling', 'websocket']) {
    await choose(Ann, transport);
    await Ann.waitForSelector('#members li[data-user=Bob]');
    await Bob.waitForSelector('#members li[data-user=Ann]');
    await say(Ann, `Ann over ${transport}`);
    await entry(Bob, 'chat', `Ann over ${transport}`).waitFor();
    await say(Bob, `Bob to ${transport}`);
    await entry(Ann, 'chat', `Bob to ${transport}`).waitFor();
  }
  await picture(Ann, 'chat-transports');
  assert.deepEqual(Ann.complaints, []);
});
