// What a service manager sees of the programs: sd_notify(3), the watchdog, and sockets that it keeps while they are not running.

import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { initAuthority } from '../../pki/init.ts'
import { Chain, linesOf, temporaryDirectory } from '../support/chain.ts'
import { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { withHooks } from '../support/hooked.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { boundSocket, NotifyListener } from '../support/notify-listener.ts'
import { disorder, everyNumber, filedNumbers, missing, total } from '../support/numbered.ts'
import { runWithSocket, type WithSocket } from '../support/passed-socket.ts'
import { sendOne } from '../support/send-one.ts'
import { startSenders } from '../support/senders.ts'

// Long beside what a loaded machine lets a process wait, short enough for a test.
const WATCHDOG_USEC = '600000'

interface Supervised {
  readonly manager: NotifyListener
  readonly daemon: Daemon
}

/** @param start must spawn before it first waits */
async function supervised(t: ExecutionContext, place: string, start: () => Daemon | Promise<Daemon>): Promise<Supervised> {
  const manager = new NotifyListener(t, place)
  const daemon = await withHooks([], start, { NOTIFY_SOCKET: place, WATCHDOG_USEC })
  return { manager, daemon }
}

/** What every program tells from here to its end. */
async function tellsToItsEnd(t: ExecutionContext, { manager, daemon }: Supervised): Promise<void> {
  await manager.waitFor(/^WATCHDOG=1/m, 1)
  daemon.signal('SIGHUP')
  const from = manager.received.findIndex((datagram) => datagram.startsWith('RELOADING=1'))
  await manager.waitFor(/^RELOADING=1\nMONOTONIC_USEC=\d+$/, Math.max(0, from))
  const reloading = manager.received.findIndex((datagram) => datagram.startsWith('RELOADING=1'))
  await manager.waitFor(/^READY=1$/m, reloading + 1)
  t.deepEqual(await daemon.end('SIGTERM'), { code: 0, signal: null })
  await manager.waitFor(/^STOPPING=1$/m)
}

test.serial('the agent is ready when its socket takes messages, and says how it is', async (t) => {
  const chain = await Chain.make(t)
  const { manager, daemon } = await supervised(t, chain.place('notify'), () => chain.startAgent())
  const ready = await manager.waitFor(/^READY=1$/m)
  t.regex(ready, /^STATUS=Takes messages from unix .*; spool 1MiB of 1GiB; forward 127\.0\.0\.1:1 /m)
  // Of the time before, progress alone has been told.
  for (const datagram of manager.received.slice(0, manager.received.indexOf(ready))) t.regex(datagram, /^EXTEND_TIMEOUT_USEC=/)
  sendOne(chain, 'hello')
  await tellsToItsEnd(t, { manager, daemon })
})

test.serial('the relay gives no sign of life while its spool takes no writes, and again when it does', async (t) => {
  const chain = await Chain.make(t)
  const { manager, daemon } = await supervised(t, chain.place('notify'), () => chain.startRelay())
  t.regex(await manager.waitFor(/^READY=1$/m), /^STATUS=Listens on 127\.0\.0\.1:\d+; 0 peers; spool 1MiB of 10GiB; files /m)
  const obstacle = chain.place('relay-spool/.health')
  await eventually('a moment between two checks', () => {
    try {
      fs.mkdirSync(obstacle)
      return true
    } catch {
      return false
    }
  })
  await manager.waitFor(/^STATUS=UNHEALTHY: Cannot write to the spool .*: EISDIR/m)
  await daemon.event('unhealthy')
  const mark = manager.mark
  await new Promise((resolve) => setTimeout(resolve, Number(WATCHDOG_USEC) / 1000))
  t.deepEqual(manager.received.slice(mark), [])
  fs.rmdirSync(obstacle)
  await manager.waitFor(/^WATCHDOG=1\nSTATUS=Listens on /m, mark)
  await tellsToItsEnd(t, { manager, daemon })
})

test.serial('a program whose event loop does not turn gives no sign of life', async (t) => {
  const chain = await Chain.make(t)
  const { manager, daemon } = await supervised(t, chain.place('notify'), () => chain.startRelay())
  await manager.waitFor(/^WATCHDOG=1/m, 1)
  daemon.signal('SIGSTOP')
  const mark = manager.mark
  await new Promise((resolve) => setTimeout(resolve, Number(WATCHDOG_USEC) / 1000))
  // What was on its way when it was stopped.
  t.true(manager.mark - mark <= 1)
  daemon.signal('SIGCONT')
  await daemon.end('SIGTERM')
})

test.serial('the authority’s server is ready when it serves', async (t) => {
  const directory = temporaryDirectory(t)
  await initAuthority({ directory: `${directory}/ca`, name: 'Test Logs' }, Date.now())
  const { manager, daemon } = await supervised(t, `${directory}/notify`, () =>
    Daemon.serve(t, `${directory}/ca`, '--name', 'ca.example.com'),
  )
  const ready = await manager.waitFor(/^READY=1$/m)
  t.regex(ready, /^STATUS=Serves on 127\.0\.0\.1:\d+ as ca\.example\.com, 127\.0\.0\.1; certificate until \d{4}-/m)
  await tellsToItsEnd(t, { manager, daemon })
})

async function started(running: WithSocket): Promise<void> {
  await eventually(
    'the agent',
    () => running.said.includes(' started: '),
    () => running.said,
  )
}

test.serial('what is sent to a passed socket while the agent is started anew arrives, each message once', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const socket = boundSocket(t, chain.socket)
  const texts = (from: string): string[] => Array.from({ length: 5 }, (_, index) => `<13>app: ${from} ${index}`)
  sendDatagrams(chain.socket, texts('before the first start'))
  for (const run of ['first', 'second']) {
    const agent = runWithSocket(t, socket, 'agent', 'run', '--config', chain.agentConfig)
    await started(agent)
    sendDatagrams(chain.socket, texts(`in the ${run} run`))
    agent.signal('SIGTERM')
    t.deepEqual(await agent.ended, { code: 0, signal: null }, agent.said)
    t.true(fs.lstatSync(chain.socket).isSocket(), 'the socket is not the agent’s to remove')
    t.is(sendDatagrams(chain.socket, texts(`after the ${run} run`)), undefined)
  }
  const last = runWithSocket(t, socket, 'agent', 'run', '--config', chain.agentConfig)
  const wanted = ['before the first start', 'in the first run', 'after the first run', 'in the second run', 'after the second run']
  await chain.lines(25)
  last.signal('SIGTERM')
  await last.ended
  t.deepEqual(
    linesOf(chain.file).map((line) => line.replace(/^.*app(?:\[\d+\])?: /, '')),
    wanted.flatMap((from) => texts(from).map((text) => text.slice('<13>app: '.length))),
  )
})

test.serial(
  'an agent is started anew three times under 5000 messages a second: its passed socket holds them, and each arrives once',
  async (t) => {
    const chain = await Chain.make(t)
    await chain.startRelay()
    const socket = boundSocket(t, chain.socket)
    const run = (): WithSocket => runWithSocket(t, socket, 'agent', 'run', '--config', chain.agentConfig)
    let agent = run()
    await started(agent)
    const senders = startSenders(t, chain, { senders: 2, rate: 2500 })
    for (let round = 1; round <= 3; round++) {
      await chain.lines(round * 5000)
      agent.signal('SIGTERM')
      t.deepEqual(await agent.ended, { code: 0, signal: null }, agent.said)
      agent = run()
      await started(agent)
    }
    senders.stop()
    const sent = await senders.done
    t.true(
      sent.every(({ retried }) => retried === 0),
      'a sender found nobody at the socket',
    )
    const counts = sent.map((one) => one.sent)
    await chain.lines(total(everyNumber(counts)))
    agent.signal('SIGTERM')
    await agent.ended
    t.is(disorder(filedNumbers(chain.file)), undefined)
    t.is(missing(everyNumber(counts), filedNumbers(chain.file)), undefined)
  },
)

test.serial('a passed socket that no source reads is closed, and the agent says so', async (t) => {
  const chain = await Chain.make(t)
  const other = boundSocket(t, chain.place('other'))
  const agent = runWithSocket(t, other, 'agent', 'run', '--config', chain.agentConfig)
  await started(agent)
  t.regex(agent.said, / warn socket-unused: A socket was passed to the agent that none of its sources reads: \S+\/other\. /)
  agent.signal('SIGTERM')
  await agent.ended
})
