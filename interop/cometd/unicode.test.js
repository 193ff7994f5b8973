// Text of every kind survives the way through the server.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

const TEXTS = {
  'accented letters': 'Grüße, čeština, ελληνικά',
  'astral characters': 'clef 𝄞, smile 😀, family 👨‍👩‍👧, Gothic 𐌰',
  'control characters': '\u0000\u0001\t\n\r\u001f\u007f\u0080',
  'quotes and slashes': '"\\/\\u0041</script>',
  'line separators': 'a\u2028b\u2029c',
  'the last of the plane': '\ufffd\uffff\u{10ffff}',
};

for (const [what, text] of Object.entries(TEXTS)) {
  overEveryTransport(`${what} arrive as they were`, async ({connect}) => {
    const client = await connect();
    const inbox = await client.subscribe('/text');
    await client.publish('/text', {[text]: text});
    assert.deepEqual((await inbox.next()).data, {[text]: text});
  });
}

overEveryTransport('half a character does not hurt what is around it', async ({connect}) => {
  const client = await connect();
  const inbox = await client.subscribe('/text');
  // JSON.stringify sends these as lone \ud83d and \ude00 escapes.
  const reply = await client.publish('/text', ['before \ud83d after', '\ude00']);
  assert.equal(reply.successful, true, JSON.stringify(reply));
  await client.publish('/text', 'next');
  const [{data}, next] = await inbox.take(2);
  assert.match(data[0], /^before (\ud83d|\ufffd|\?) after$/);
  assert.match(data[1], /^(\ude00|\ufffd|\?)$/);
  assert.equal(next.data, 'next');
});
