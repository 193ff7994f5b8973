// Who is where is the same on all nodes, and what is sent to a user reaches each session of the user once.

import assert from 'node:assert/strict';

import {allTold, located, toldOfUser} from '../lib/cloud-users.js';
import {PATIENT, agree, inClouds, readCasts} from '../lib/cloud.js';
import {LONG} from '../lib/oort.js';
import {logIn} from '../lib/user.js';

inClouds(
  'users are known to all',
  async ({nodes, step}) => {
    const [first, ...others] = nodes;
    const clients = [];
    const come = async (node, user) => clients.push(Object.assign(await logIn(node, user), {node, user}));

    await step('who comes by several sessions is told once for each node', async () => {
      await agree(nodes, 'present', []);
      for (const node of nodes) await come(node, 'everywhere');
      await come(first, 'everywhere');
      for (const [index, node] of nodes.entries()) await come(node, `only ${index}`);
      await agree(nodes, 'present', ['everywhere', ...nodes.map((_, index) => `only ${index}`)]);
      await located(nodes, 'everywhere', (node) => ({sessions: node === first ? 2 : 1, nodes: nodes.length - 1}));
      await located(nodes, 'only 1', (node) => (node === nodes[1] ? {sessions: 1, nodes: 0} : {sessions: 0, nodes: 1}));
      await located(nodes, 'nobody', () => ({sessions: 0, nodes: 0}));
      for (const [index, node] of nodes.entries()) {
        assert.deepEqual(await node.ask('associated'), ['everywhere', `only ${index}`]);
      }
      await allTold(nodes);
      for (const node of nodes) {
        for (const [index, {url}] of nodes.entries()) {
          assert.deepEqual(toldOfUser(node, 'everywhere', url), ['added']);
          assert.deepEqual(toldOfUser(node, `only ${index}`, url), ['added']);
        }
        assert.equal(node.told('user-added').filter(({user}) => user.startsWith('only')).length, nodes.length);
      }
    });

    await step('what any node sends reaches each session once', async () => {
      const users = ['everywhere', ...nodes.map((_, index) => `only ${index}`), 'nobody'];
      const wanted = [];
      for (const from of nodes) {
        for (let n = 0; n < 10; n++) {
          // Neither is subscribed to.
          const channel = n % 2 ? '/service/note' : '/notes';
          const text = `${n} of ${from.url} on ${channel}`;
          await from.ask('send', {users, channel, data: {text, list: [null]}});
          wanted.push(text);
        }
      }
      for (const from of nodes) await from.ask('send', {users, channel: '/service/end', data: from.url});
      for (const client of clients) {
        const ended = () => client.heard('/service/end').length === nodes.length;
        await client.messages.until(ended, `the end at ${client.user} of ${client.node.kind}`, LONG);
        const came = client.messages.all.filter(({channel}) => channel === '/service/note' || channel === '/notes');
        for (const {channel, data} of came) {
          assert.ok(data.text.endsWith(channel));
          assert.deepEqual(data.list, [null]);
        }
        // Without order: CometD's local sessions have none.
        assert.deepEqual(came.map(({data}) => data.text).sort(), wanted.toSorted());
      }
    });

    await step('who goes is told when the last session of a node goes', async () => {
      const [, second] = clients.filter(({node, user}) => node === first && user === 'everywhere');
      assert.equal(await second.logOut('everywhere'), true);
      assert.equal(await second.logOut('everywhere'), false);
      await located([first], 'everywhere', () => ({sessions: 1, nodes: nodes.length - 1}));
      // It stays connected, and gets nothing any more.
      const before = second.messages.all.length;
      await others[0].ask('send', {users: ['everywhere'], channel: '/service/later', data: 1});
      const remaining = clients.filter(({user}) => user === 'everywhere').filter((client) => client !== second);
      for (const client of remaining) {
        await client.messages.until(() => client.heard('/service/later').length === 1, 'what is sent later', LONG);
      }
      await second.logIn('somebody else');
      await located(others, 'somebody else', () => ({sessions: 0, nodes: 1}));
      assert.equal(second.messages.all.length, before + 1);
      for (const client of clients) await client.close();
      await agree(nodes, 'present', []);
      await allTold(nodes);
      for (const node of nodes) {
        for (const {url} of nodes) assert.deepEqual(toldOfUser(node, 'everywhere', url), ['added', 'removed']);
        assert.deepEqual(toldOfUser(node, 'somebody else', first.url), ['added', 'removed']);
      }
    });

    await step('many who come at once, and go at once, are told once', async () => {
      for (const [index, node] of nodes.entries()) await node.ask('gather', {name: `many ${index} `, count: 500});
      const all = nodes.flatMap((_, index) => Array.from({length: 500}, (_, n) => `many ${index} ${n}`)).sort();
      await agree(nodes, 'present', all);
      for (const node of nodes) await node.ask('scatter');
      await agree(nodes, 'present', []);
      await allTold(nodes);
      for (const node of nodes) {
        const counts = ['user-added', 'user-removed'].map(
          (what) => node.told(what).filter(({user}) => user.startsWith('many')).map(({user}) => user),
        );
        for (const users of counts) assert.deepEqual(users.sort(), all);
      }
    });

    // A node of CometD's would hear it of itself, too.
    const ours = nodes.findLast(({kind}) => kind === 'rust');
    if (ours) {
      await step('what only nodes of ours understand disturbs nobody', async () => {
        await ours.ask('gather', {name: 'quiet ', count: 3});
        const quiet = ['quiet 0', 'quiet 1', 'quiet 2'];
        await agree(nodes, 'present', quiet);
        const told = (node) => node.told('user-added', 'user-removed').filter(({user}) => user.startsWith('quiet'));
        const about = {oortURL: ours.url, presence: true, digest: '3:0123456789abcdef', unknown: {}};
        const check = {...about, userIds: [], replace: false};
        const list = {...about, userIds: quiet.toReversed(), replace: true};
        for (const data of [check, list, check]) await ours.ask('publish', {channel: '/seti/all', data});
        await allTold(nodes);
        await agree(nodes, 'present', quiet);
        for (const node of nodes) assert.deepEqual(told(node).map(({user}) => user).sort(), quiet);
        await ours.ask('scatter');
        await agree(nodes, 'present', []);
      });
    }

    await step('the users of a node that has none any more are gone', async () => {
      const last = nodes.at(-1);
      const clients = [await logIn(first, 'both'), await logIn(last, 'both'), await logIn(last, 'last')];
      await located([first], 'both', () => ({sessions: 1, nodes: 1}));
      await located(others.slice(0, -1), 'both', () => ({sessions: 0, nodes: 2}));
      await agree(nodes, 'present', ['both', 'last']);
      await last.ask('stop-users');
      const left = nodes.slice(0, -1);
      await agree(left, 'present', ['both']);
      await agree([last], 'present', []);
      await allTold(left);
      for (const node of left) {
        assert.deepEqual(toldOfUser(node, 'last', last.url), ['added', 'removed']);
        assert.deepEqual(toldOfUser(node, 'both', last.url), ['added', 'removed']);
        assert.deepEqual(toldOfUser(node, 'both', first.url), ['added']);
      }
      for (const client of clients) await client.close();
    });
  },
  // Between two of ours there are checks, of which CometD's know nothing.
  {options: PATIENT, casts: readCasts(process.env.CASTS ?? 'java,java,rust rust,java,rust')},
);
