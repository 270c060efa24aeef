// Local sockets with real receivers: python3 for datagrams, which Node has not.

import * as fs from 'node:fs'
import * as net from 'node:net'
import test from 'ava'
import { FileLines, RawMessages } from '../../../core/destinations/line-maker.ts'
import { UnixDatagramOutlet } from '../../../core/destinations/unix-datagram.ts'
import { UnixStreamOutlet } from '../../../core/destinations/unix-stream.ts'
import { startReceiver } from '../../support/datagram-receiver.ts'
import { eventually } from '../../support/eventually.ts'
import { drained, linesIn, linesOf, messagesOf, OutletWorld } from './outlet-world.ts'

test('unix: waits for a socket, then one datagram for each message, and waits while the queue is full', async (t) => {
  const world = new OutletWorld(t)
  const socket = world.file('socket')
  const destination = world.start(new UnixDatagramOutlet(socket, new RawMessages(), world.metrics))
  await world.store(messagesOf(5000))
  await eventually('the trouble', () => world.told('destination-failed').find((text) => text.includes('nobody listens there')))
  startReceiver(t, socket, world.file('out'), 1)
  await drained(destination)
  await eventually('all', () => linesIn(world.file('out')).length === 5000)
  t.deepEqual(linesIn(world.file('out')), messagesOf(5000))
})

test('unix: a receiver that is killed is waited for, and a message that is too long is cut and counted', async (t) => {
  const world = new OutletWorld(t)
  const socket = world.file('socket')
  const first = startReceiver(t, socket, world.file('out'))
  const destination = world.start(new UnixDatagramOutlet(socket, new RawMessages(), world.metrics))
  await world.store(messagesOf(10))
  await eventually('ten', () => linesIn(world.file('out')).length === 10)
  const gone = new Promise((resolve) => first.once('exit', resolve))
  first.kill('SIGKILL')
  await gone
  fs.unlinkSync(socket)
  await world.store([...messagesOf(10, 10), `<13>1 2026-01-01T00:00:00Z web01 app - - - ${'x'.repeat(900_000)}`])
  await eventually('the trouble', () => destination.status()['state'] === 'waiting')
  startReceiver(t, socket, world.file('out'))
  await drained(destination)
  await eventually('all', () => linesIn(world.file('out')).length === 21)
  const lines = linesIn(world.file('out'))
  t.deepEqual(lines.slice(0, 20), messagesOf(20))
  t.is(lines[20]!.length, 8192)
  t.is(world.metrics.get('messagesCut'), 1)
})

test('unix-stream: lines in order; a receiver that closes with lines unread gets them again', async (t) => {
  const world = new OutletWorld(t)
  const socket = world.file('socket')
  let isReading = false
  const texts: string[] = []
  const connected: net.Socket[] = []
  const server = net.createServer({ pauseOnConnect: true }, (peer) => {
    connected.push(peer)
    let text = ''
    texts.push(text)
    const index = texts.length - 1
    peer.on('error', () => undefined)
    if (!isReading) return
    peer.on('data', (bytes) => {
      text += bytes.toString()
      texts[index] = text
    })
    peer.resume()
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.teardown(() => {
    for (const peer of connected) peer.destroy()
    server.close()
  })
  const destination = world.start(new UnixStreamOutlet(socket, new FileLines()))
  await world.store(messagesOf(3000))
  await eventually('a connection', () => connected.length === 1)
  await eventually('that it is full or all written', () => Number(destination.status()['lag_bytes']) > 0)
  t.is(destination.status()['delivered'], 0)
  isReading = true
  connected[0]!.destroy()
  await world.store(messagesOf(3000, 3000))
  await drained(destination)
  await eventually('all lines', () => texts.at(-1)!.split('\n').length === 6001)
  t.deepEqual(texts.at(-1)!.split('\n').slice(0, -1), linesOf(6000))
})
