import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createLog } from '../../../core/base/log.ts'
import { ServiceNotifier } from '../../../core/daemon/service-notifier.ts'
import { temporaryDirectory } from '../../support/chain.ts'
import { eventually } from '../../support/eventually.ts'
import { NotifyListener } from '../../support/notify-listener.ts'

const PID = 7

interface Made {
  readonly manager: NotifyListener
  readonly notifier: ServiceNotifier
  readonly said: string[]
}

function make(t: ExecutionContext, watchdog: Readonly<Record<string, string>> = {}, isAbstract = false): Made {
  const place = path.join(temporaryDirectory(t), 'notify')
  const address = isAbstract ? `@${place}` : place
  const said: string[] = []
  const log = createLog('info', 'text', (line) => said.push(line))
  return {
    manager: new NotifyListener(t, address),
    notifier: new ServiceNotifier({ NOTIFY_SOCKET: address, ...watchdog }, PID, log),
    said,
  }
}

for (const isAbstract of [false, true]) {
  test(`ready, reload and stop are told in order at ${isAbstract ? 'an abstract address' : 'a path'}`, async (t) => {
    const { manager, notifier, said } = make(t, {}, isAbstract)
    notifier.ready({ describe: () => 'fine\nREADY=0' })
    const beforeUs = process.hrtime.bigint() / 1000n
    notifier.reloading()
    notifier.reloaded()
    notifier.stopping(5000)
    await manager.waitFor(/STOPPING=1/)
    const [ready, reloading, reloaded, stopping] = manager.received
    // A line end of a status would be taken for the next assignment.
    t.is(ready, 'READY=1\nSTATUS=fine\\u000aREADY=0')
    const toldUs = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading!)![1]!)
    t.true(toldUs >= beforeUs && toldUs <= process.hrtime.bigint() / 1000n)
    t.is(reloaded, 'READY=1')
    t.is(stopping, 'STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\nSTATUS=Stops in order')
    t.deepEqual(said, [])
  })
}

test('a long start asks for more time, at most once a second, and no more once it is ready', (t) => {
  const { manager, notifier } = make(t)
  for (let count = 0; count < 100; count++) notifier.progress('Reads its spool: 1')
  notifier.ready({})
  notifier.progress('late')
  t.is(manager.mark, 2)
  t.deepEqual(manager.received, ['EXTEND_TIMEOUT_USEC=60000000\nSTATUS=Reads its spool: 1', 'READY=1'])
})

test('the watchdog is answered while the check resolves, not while it rejects or hangs, and each trouble is told once', async (t) => {
  const { manager, notifier, said } = make(t, { WATCHDOG_USEC: '30000', WATCHDOG_PID: String(PID) })
  let check = (): Promise<void> => Promise.resolve()
  let checks = 0
  notifier.ready({
    healthy: () => {
      checks++
      return check()
    },
  })
  const checked = (more: number): Promise<unknown> => {
    const wanted = checks + more
    return eventually('more checks', () => checks >= wanted)
  }
  await manager.waitFor(/WATCHDOG=1/, 1)
  check = () => Promise.reject(new Error('the disk is gone'))
  await manager.waitFor(/STATUS=UNHEALTHY: the disk is gone/)
  let mark = manager.mark
  await checked(3)
  t.deepEqual(manager.received.slice(mark), [])
  t.is(said.filter((line) => line.includes(' error unhealthy: the disk is gone')).length, 1)
  check = () => Promise.resolve()
  await manager.waitFor(/WATCHDOG=1/, mark)
  let release = (): void => undefined
  check = () =>
    new Promise((resolve) => {
      release = resolve
    })
  await checked(1)
  mark = manager.mark
  const asked = checks
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(checks, asked)
  t.is(manager.mark, mark)
  release()
  await manager.waitFor(/WATCHDOG=1/, mark)
  notifier.stopping(0)
})

for (const [what, watchdog] of [
  ['meant for another process', { WATCHDOG_USEC: '30000', WATCHDOG_PID: '8' }],
  ['not a number', { WATCHDOG_USEC: '-1' }],
] as const) {
  test(`a watchdog that is ${what} is not answered`, (t) => {
    const { manager, notifier } = make(t, watchdog)
    notifier.ready({ healthy: () => Promise.reject(new Error('asked')) })
    t.is(manager.mark, 1)
    t.deepEqual(manager.received, ['READY=1'])
    notifier.stopping(0)
  })
}

test('without a service manager nothing is asked and nothing sent, and the variables are gone either way', (t) => {
  const environment: Record<string, string> = { NOTIFY_SOCKET: 'relative', WATCHDOG_USEC: '1', WATCHDOG_PID: '1', OTHER: 'x' }
  const said: string[] = []
  const notifier = new ServiceNotifier(
    environment,
    1,
    createLog('info', 'text', (line) => said.push(line)),
  )
  t.deepEqual(environment, { OTHER: 'x' })
  notifier.progress('x')
  notifier.ready({ describe: () => t.fail() as never })
  notifier.reloading()
  notifier.stopping(0)
  t.deepEqual(said, [])
})

test('a service manager that is gone is told of once, and stops nothing', (t) => {
  const said: string[] = []
  const log = createLog('info', 'text', (line) => said.push(line))
  const notifier = new ServiceNotifier({ NOTIFY_SOCKET: path.join(temporaryDirectory(t), 'nobody') }, PID, log)
  notifier.ready({})
  notifier.reloading()
  notifier.stopping(0)
  t.is(said.length, 1)
  t.regex(said[0]!, / warn notify-failed: Cannot tell the service manager how it goes: /)
})
