// Several people chat: rooms, the list of members, and private messages.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const ROOM = '/chat/interop';

async function join(client, user) {
  const chat = await client.subscribe(ROOM);
  const members = await client.subscribe('/members/interop');
  const reply = await client.publish('/service/members', {user, room: ROOM});
  assert.equal(reply.successful, true, JSON.stringify(reply));
  await members.find(({data}) => data.includes(user), `${user} among the members`);
  return {client, user, chat, members};
}

const sorted = ({data}) => data.toSorted();

overEveryTransport('people in a room hear each other and see who is there', async ({connect}) => {
  const people = [];
  for (const user of ['ann', 'bob', 'cyd']) people.push(await join(await connect(), user));
  const [ann, bob, cyd] = people;
  await ann.members.find((m) => sorted(m).join() === 'ann,bob,cyd', 'all three as members');

  for (const {client, user} of people) await client.publish(ROOM, {user, chat: `I am ${user}`});
  for (const {chat} of people) {
    const said = (await chat.take(3)).map(({data}) => data.chat);
    assert.deepEqual(said.toSorted(), ['I am ann', 'I am bob', 'I am cyd']);
  }

  await cyd.client.disconnect();
  await bob.members.find((m) => sorted(m).join() === 'ann,bob', 'the members without cyd');
});

overEveryTransport('a private message reaches its peers and the sender alone', async ({connect}) => {
  const people = [];
  for (const user of ['ann', 'bob', 'cyd', 'dan']) people.push(await join(await connect(), user));
  const [ann, bob, cyd, dan] = people;

  const whisper = {room: ROOM, user: 'ann', chat: 'psst', peer: 'bob,cyd'};
  await ann.client.publish('/service/privatechat', whisper);
  for (const {chat} of [ann, bob, cyd]) {
    const {channel, data} = await chat.next();
    assert.equal(channel, ROOM);
    assert.deepEqual(data, {chat: 'psst', user: 'ann', scope: 'private'});
  }

  await ann.client.publish(ROOM, {user: 'ann', chat: 'hello all'});
  assert.equal((await dan.chat.next()).data.chat, 'hello all');
});
