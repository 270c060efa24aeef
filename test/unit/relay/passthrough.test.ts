import { connect, createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { createLog } from '../../../core/base/log.ts'
import { RepeatGuard } from '../../../core/daemon/repeat-guard.ts'
import { Passthrough } from '../../../relay/passthrough.ts'

async function passTo(t: ExecutionContext, port: number): Promise<{ port: number; lines: string[] }> {
  const lines: string[] = []
  const log = createLog('debug', 'text', (line) => lines.push(line))
  const passthrough = new Passthrough({ host: '127.0.0.1', port }, log, new RepeatGuard(systemClock))
  t.teardown(() => passthrough.close())
  return { port: await passthrough.listen({ host: '127.0.0.1', port: 0 }), lines }
}

async function authority(t: ExecutionContext, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined)
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as { port: number }).port
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on('error', () => undefined).once('close', () => resolve()))
}

test('every byte is passed both ways, and the end of one side leaves the other open', async (t) => {
  const question = Buffer.alloc(1 << 20, 'q')
  const answer = Buffer.alloc(3 << 20, 'a')
  let asked = 0
  // Answers when the other has said all.
  const to = await authority(t, (socket) => {
    socket.on('data', (chunk) => {
      asked += chunk.length
    })
    socket.on('end', () => socket.end(answer))
  })
  const { port } = await passTo(t, to)
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  let answered = 0
  socket.on('data', (chunk) => {
    answered += chunk.length
  })
  socket.end(question)
  await closed(socket)
  t.deepEqual([asked, answered], [question.length, answer.length])
})

test('one address gets 32 connections at once, and others again when these have gone', async (t) => {
  const to = await authority(t, (socket) => {
    socket.write('x')
    socket.on('end', () => socket.end()).resume()
  })
  const { port, lines } = await passTo(t, to)
  const sockets = Array.from({ length: 32 }, () => connect({ host: '127.0.0.1', port }))
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
  await closed(connect({ host: '127.0.0.1', port }))
  t.regex(lines.join(''), /passthrough-refused: Refused to pass a connection of .*127\.0\.0\.1: it has 32 already/)
  sockets[0]!.destroy()
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port })
    const got = await Promise.race([closed(socket).then(() => false), new Promise((resolve) => socket.once('data', () => resolve(true)))])
    socket.destroy()
    if (got) break
  }
  for (const socket of sockets) socket.destroy()
  t.pass()
})

test('an authority that is not there ends the connection, and is told of', async (t) => {
  const { port, lines } = await passTo(t, 1)
  await closed(connect({ host: '127.0.0.1', port }))
  t.regex(lines.join(''), /passthrough-failed: Cannot pass 127\.0\.0\.1 on to the authority 127\.0\.0\.1:1: .*ECONNREFUSED/)
})
