import * as fs from 'node:fs'
import { zstdCompressSync } from 'node:zlib'
import test from 'ava'
import { AGENT_NAME, Chain, linesOf } from '../support/chain.ts'
import { type Crafted, craftRecord, payloadOf, sendFrame } from '../support/hostile-peer.ts'
import { makeIdentity } from '../support/identities.ts'

const MESSAGE = '<13>1 2026-11-23T02:50:00Z web01 app 1 - - sound'

function lengthOnly(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}

const BOMB = zstdCompressSync(Buffer.alloc(64 << 20))

/** Batches whose checksums hold and whose payload does not say what the header says. */
const HOSTILE: Readonly<Record<string, Partial<Crafted>>> = {
  'a length over the end': { payload: Buffer.concat([payloadOf([MESSAGE]), lengthOnly(500), Buffer.from('short')]), count: 2 },
  'a length of 4 GiB': { payload: Buffer.concat([lengthOnly(0xffffffff), Buffer.from(MESSAGE)]), count: 1 },
  'a length of 0': { payload: Buffer.concat([lengthOnly(0), payloadOf([MESSAGE])]), count: 2 },
  'more messages in the header than in the payload': { payload: payloadOf([MESSAGE]), count: 1000 },
  'fewer messages in the header than in the payload': { payload: payloadOf([MESSAGE, MESSAGE, MESSAGE]), count: 1 },
  'a payload of less than a length': { payload: Buffer.from([1, 0]), count: 1 },
  'what is no zstd': { codec: 1, payload: Buffer.from('not compressed at all'), plainBytes: 100, count: 1 },
  'a zstd frame that is cut': {
    codec: 1,
    payload: zstdCompressSync(payloadOf([MESSAGE.repeat(100)])).subarray(0, -4),
    plainBytes: MESSAGE.length * 100 + 4,
    count: 1,
  },
  'a zstd frame with more in it than the header says': {
    codec: 1,
    payload: zstdCompressSync(payloadOf([MESSAGE])),
    plainBytes: 10,
    count: 1,
  },
  'a zstd frame with less in it than the header says': {
    codec: 1,
    payload: zstdCompressSync(payloadOf([MESSAGE])),
    plainBytes: 1000,
    count: 1,
  },
  'a zstd bomb': { codec: 1, payload: BOMB, plainBytes: 2 << 20, count: 1 },
  'a codec that is none': { codec: 7, payload: payloadOf([MESSAGE]), count: 1 },
  'a sequence of 0': { first: 0, messages: [MESSAGE] },
}

for (const [what, crafted] of Object.entries(HOSTILE))
  test(`a batch with ${what} is refused, and the relay serves on`, async (t) => {
    const chain = await Chain.make(t)
    const agent = await makeIdentity(chain, {})
    await chain.startRelay()
    const answer = await sendFrame(chain, agent, 'batch', craftRecord({ origin: AGENT_NAME, ...crafted }))
    t.regex(answer, /^the relay refused a frame: 500 /)
    t.is(await sendFrame(chain, agent, 'batch', craftRecord({ origin: AGENT_NAME, messages: [MESSAGE] })), 'acknowledged')
    t.deepEqual(await chain.lines(1), ['2026-11-23T02:50:00Z web01.example.com app[1]: sound'])
    t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
    // Nor may it wait in the spool for the next start.
    await chain.startRelay()
    t.is(await sendFrame(chain, agent, 'batch', craftRecord({ origin: AGENT_NAME, messages: [MESSAGE] })), 'acknowledged')
    await chain.lines(2)
    t.is(linesOf(chain.file).length, 2)
    t.deepEqual(fs.readdirSync(chain.logs), [AGENT_NAME])
  })

test('a frame over the limit, and one that is no RELP, end the connection before anything is buffered', async (t) => {
  const chain = await Chain.make(t)
  const agent = await makeIdentity(chain, {})
  await chain.startRelay()
  t.regex(await sendFrame(chain, agent, 'batch', Buffer.alloc((2 << 20) + 9000)), /ECONNRESET|EPIPE|closed the connection/)
  t.regex(await chain.relay.event('peer-gone'), /DATALEN 2106152 of "batch" is over/)
  t.regex(await sendFrame(chain, agent, 'batch', Buffer.from('no record')), /^the relay refused a frame: 500 batch: /)
})
