// Both sides of a RELP session, each against a peer that is played by the test over a pair of streams.

import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import test from 'ava'
import { relpFrame } from '../../../core/transport/relp.ts'
import { RelpClientSession } from '../../../core/transport/relp-client.ts'
import { type RelpReceiver, RelpServerSession } from '../../../core/transport/relp-server.ts'

/** A socket whose other end is the test. */
class Played extends Duplex {
  sent = ''
  isEnded = false

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.sent += chunk.toString('latin1')
    done()
  }

  override _final(done: () => void): void {
    this.isEnded = true
    done()
  }

  /** What the session has sent since the last call. */
  async heard(): Promise<string> {
    for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setImmediate(resolve))
    const { sent } = this
    this.sent = ''
    return sent
  }

  async say(text: string | Buffer): Promise<string> {
    this.push(Buffer.from(text))
    return this.heard()
  }
}

const OPEN = relpFrame(1, 'open', 'relp_version=0\nrelp_software=librelp,1.13.0,x\ncommands=syslog')

class Receiver implements RelpReceiver {
  readonly syslogLimitBytes = 1000
  readonly batchLimitBytes = 1000
  readonly got: string[] = []
  readonly durable: Array<(error?: Error) => void> = []
  refuses: string | undefined
  closed: Array<string | undefined> = []

  onBatch(bytes: Buffer, start: number, end: number): string | undefined {
    return this.onSyslog(bytes, start, end)
  }

  onSyslog(bytes: Buffer, start: number, end: number): string | undefined {
    if (this.refuses !== undefined) return this.refuses
    this.got.push(bytes.toString('latin1', start, end))
    return undefined
  }

  onDelivered(): Promise<void> {
    return new Promise((resolve, reject) => this.durable.push((error) => (error === undefined ? resolve() : reject(error))))
  }

  onClosed(reason: string | undefined): void {
    this.closed.push(reason)
  }
}

function served(): { peer: Played; receiver: Receiver; session: RelpServerSession } {
  const peer = new Played()
  const receiver = new Receiver()
  return { peer, receiver, session: new RelpServerSession(peer as unknown as TLSSocket, receiver, new Map()) }
}

test('server: open is answered with version 0 and only what both know', async (t) => {
  const { peer } = served()
  t.regex(await peer.say(OPEN), /^1 rsp \d+ 200 OK\nrelp_version=0\nrelp_software=loghop[^\n]*\ncommands=syslog\n\n$/)
})

test('server: nothing is acknowledged before it is durable; then all in the order received', async (t) => {
  const { peer, receiver } = served()
  await peer.say(OPEN)
  t.is(await peer.say('2 syslog 1 a\n3 syslog 1 b\n'), '')
  t.is(await peer.say('4 syslog 1 c\n'), '')
  t.deepEqual(receiver.got, ['a', 'b', 'c'])
  receiver.durable[0]!()
  t.is(await peer.heard(), '2 rsp 6 200 OK\n3 rsp 6 200 OK\n')
  receiver.durable[1]!()
  t.is(await peer.heard(), '4 rsp 6 200 OK\n')
})

test('server: what cannot be stored is not acknowledged, and the connection ends', async (t) => {
  const { peer, receiver } = served()
  await peer.say(OPEN)
  await peer.say('2 syslog 1 a\n')
  receiver.durable[0]!(new Error('ENOSPC'))
  t.is(await peer.heard(), '')
  t.deepEqual(receiver.closed, ['ENOSPC'])
  t.true(peer.destroyed)
})

test('server: a refused frame is answered with 500 and the end; what came before it is not acknowledged any more', async (t) => {
  const { peer, receiver } = served()
  await peer.say(OPEN)
  await peer.say('2 syslog 1 a\n')
  receiver.refuses = `no\n${'x'.repeat(200)}`
  const answer = await peer.say('3 syslog 1 b\n4 syslog 1 c\n')
  t.regex(answer, /^3 rsp 84 500 no/)
  t.true(answer.endsWith('0 serverclose 0\n'))
  t.true(peer.isEnded)
  t.deepEqual(receiver.got, ['a'])
  receiver.durable[0]!()
  t.is(await peer.heard(), '')
})

test('server: close answers what came before, then itself with an empty response, as librelp wants', async (t) => {
  const { peer, receiver } = served()
  await peer.say(OPEN)
  t.is(await peer.say('2 syslog 1 a\n3 close 0\n'), '')
  for (const durable of receiver.durable) durable()
  t.is(await peer.heard(), '2 rsp 6 200 OK\n3 rsp 0\n0 serverclose 0\n')
  t.true(peer.isEnded)
})

test('server: closing from this side says serverclose', async (t) => {
  const { peer, session } = served()
  await peer.say(OPEN)
  session.close()
  t.is(await peer.heard(), '0 serverclose 0\n')
  t.true(peer.isEnded)
})

for (const [what, text, answer, reason] of [
  ['syslog before open', '1 syslog 1 a\n', /^1 rsp \d+ 500 command disabled/, /before open/],
  ['open without a version', relpFrame(1, 'open', 'commands=syslog'), /^1 rsp \d+ 500 open without relp_version/, /relp_version/],
  ['bytes that are no RELP', 'GET / HTTP/1.1\r\n', /^$/, /not RELP/],
  ['offers of a megabyte', `1 open ${1 << 20} `, /^$/, /over 4096/],
  ['an unknown command with data', '1 bogus 5 abcde\n', /^$/, /not known/],
] as const) {
  test(`server: ${what} ends the connection`, async (t) => {
    const { peer, receiver } = served()
    t.regex(await peer.say(text), answer)
    peer.destroy()
    await peer.heard()
    t.is(receiver.closed.length, 1)
    t.regex(receiver.closed[0] ?? '', reason)
    t.deepEqual(receiver.got, [])
  })
}

test('server: a second open, an unknown command without data and a frame over the limit end an open session', async (t) => {
  for (const text of [relpFrame(2, 'open', 'relp_version=0'), '2 bogus 0\n', '2 syslog 1001 ', '2 rsp 6 200 OK\n']) {
    const { peer, receiver } = served()
    await peer.say(OPEN)
    await peer.say(text)
    t.true(peer.destroyed || peer.isEnded, text.toString())
    t.deepEqual(receiver.got, [])
    peer.destroy()
    await peer.heard()
    t.is(typeof receiver.closed[0], 'string', text.toString())
  }
})

test('server: a connection that ends within a frame is told as such', async (t) => {
  const { peer, receiver } = served()
  await peer.say(OPEN)
  await peer.say('2 syslog 100 half')
  peer.destroy()
  await peer.heard()
  t.regex(receiver.closed[0] ?? '', /within a frame/)
})

// The client's side.

interface Client {
  readonly peer: Played
  readonly session: RelpClientSession
  readonly events: string[]
}

async function opened(): Promise<Client> {
  const client = connected()
  await client.peer.say(
    '1 rsp 40 200 OK\nrelp_version=0\ncommands=syslog,batch\n'.replace(
      '40',
      String('200 OK\nrelp_version=0\ncommands=syslog,batch'.length),
    ),
  )
  return client
}

function connected(lastTxnr = 1): Client {
  const peer = new Played()
  const events: string[] = []
  const told = {
    onReady: (offers: { readonly commands: readonly string[] }) => void events.push(`ready ${offers.commands}`),
    onAcknowledged: () => void events.push('acknowledged'),
    onClosed: (reason: string) => void events.push(reason),
  }
  const session = new RelpClientSession(peer as unknown as TLSSocket, new Map(), told, lastTxnr)
  return { peer, session, events }
}

function send(session: RelpClientSession, text: string): void {
  const bytes = Buffer.alloc(64 + text.length + 1)
  bytes.write(text, 64, 'latin1')
  session.send('batch', bytes, 64, 64 + text.length, () => undefined)
}

test('client: opens with version 0, is ready with the answer, and counts its frames from 2', async (t) => {
  const { peer, session, events } = await opened()
  t.regex(await peer.heard(), /^$/)
  t.deepEqual(events, ['ready syslog,batch'])
  send(session, 'abc')
  send(session, 'de')
  t.is(await peer.heard(), '2 batch 3 abc\n3 batch 2 de\n')
  await peer.say('2 rsp 6 200 OK\n3 rsp 6 200 OK\n')
  t.deepEqual(events.slice(1), ['acknowledged', 'acknowledged'])
  session.close()
  t.is(await peer.heard(), '4 close 0\n')
  await peer.say('4 rsp 0\n0 serverclose 0\n')
  t.deepEqual(events.slice(3), ['closed'])
})

for (const [what, answer, reason] of [
  ['a transaction that is not the next', '3 rsp 6 200 OK\n', /answered transaction 3/],
  ['a transaction that was never sent', '99 rsp 6 200 OK\n', /answered transaction 99/],
  ['transaction 0', '0 rsp 6 200 OK\n', /answered transaction 0/],
  ['a second answer to open', '1 rsp 6 200 OK\n', /answered transaction 1/],
  ['a refusal', '2 rsp 9 500 never\n', /500 never/],
  ['a response without a code', '2 rsp 2 OK\n', /without a code/],
  ['a command', '2 syslog 1 a\n', /sent the command/],
  ['bytes that are no RELP', 'HTTP/1.1 400\r\n', /does not speak RELP/],
  ['a response over the limit', '2 rsp 8193 ', /over 8192/],
  ['serverclose', '0 serverclose 0\n', /is closing/],
  ['a refusal of the certificate', '0 serverclose 16 refused=revoked\n'.replace('16', '15'), /certificate: revoked/],
] as const) {
  test(`client: ${what} ends the session once, and nothing counts as acknowledged`, async (t) => {
    const { peer, session, events } = await opened()
    send(session, 'a')
    send(session, 'b')
    await peer.say(answer)
    await peer.say('2 rsp 6 200 OK\n')
    t.is(events.length, 2, events.join('; '))
    t.regex(events[1]!, reason)
    t.true(peer.destroyed)
  })
}

for (const [what, answer, reason] of [
  ['a refusal', '1 rsp 6 500 no\n', /refused to open: 500 no/],
  ['an answer without a version', '1 rsp 6 200 OK\n', /without relp_version/],
  ['an empty answer', '1 rsp 0\n', /without relp_version/],
  ['an answer to something else', '2 rsp 6 200 OK\n', /.+/],
] as const) {
  test(`client: ${what} to open ends the session`, async (t) => {
    const { peer, session, events } = connected()
    await peer.say(answer)
    t.is(events.length, 1)
    t.regex(events[0]!, reason)
    t.false(session.isReady)
  })
}

test('client: an acknowledgement that is not there when the connection ends is none', async (t) => {
  const { peer, session, events } = await opened()
  send(session, 'a')
  peer.destroy()
  await peer.heard()
  t.is(events.length, 2)
  t.regex(events[1]!, /closed the connection/)
})

test('client: only a response with a code acknowledges a frame; the empty one belongs to close', async (t) => {
  const { peer, session, events } = await opened()
  send(session, 'a')
  await peer.say('2 rsp 0\n')
  t.false(events.includes('acknowledged'), events.join('; '))
})

test('client: what follows the end of a session in the same delivery is not read', async (t) => {
  const { peer, session, events } = await opened()
  send(session, 'a')
  await peer.say('2 rs')
  await peer.say('12 rsp 6 200 OK\n')
  t.is(events.length, 2)
  t.regex(events[1]!, /does not speak RELP/)
})

test('server: transactions go on to 999,999,999 and then from 1; ten digits, as librelp would count once, end the session with a reason', async (t) => {
  const { peer, receiver } = served()
  await peer.say(OPEN)
  await peer.say('999999998 syslog 1 a\n999999999 syslog 1 b\n1 syslog 1 c\n2 syslog 1 d\n')
  receiver.durable[0]!()
  t.is(await peer.heard(), '999999998 rsp 6 200 OK\n999999999 rsp 6 200 OK\n1 rsp 6 200 OK\n2 rsp 6 200 OK\n')
  await peer.say('1000000000 syslog 1 e\n')
  t.deepEqual(receiver.got, ['a', 'b', 'c', 'd'])
  t.deepEqual(receiver.closed, ['not RELP as we know it: TXNR has over 9 digits'])
})

test('client: never sends a transaction of ten digits, nor goes on from 1: it ends the session in order before that', async (t) => {
  const { peer, session, events } = connected(999_999_996)
  await peer.heard()
  await peer.say(relpFrame(1, 'rsp', '200 OK\nrelp_version=0\ncommands=batch'))
  send(session, 'a')
  send(session, 'b')
  t.false(session.isReady)
  t.is(await peer.heard(), '999999997 batch 1 a\n999999998 batch 1 b\n999999999 close 0\n')
  await peer.say('999999997 rsp 6 200 OK\n999999998 rsp 6 200 OK\n999999999 rsp 0\n')
  t.deepEqual(events.slice(1), ['acknowledged', 'acknowledged', 'closed'])
})
