// Real terminals: pseudo-terminals that python3 opens, named by a utmp file that utmpdump(1) makes.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { ConsoleOutlet } from '../../../core/destinations/console.ts'
import { FileLines } from '../../../core/destinations/line-maker.ts'
import { UsersOutlet } from '../../../core/destinations/users.ts'
import { decodeLogindSession, decodeUtmp, readSessions, UTMP_LAYOUTS } from '../../../core/platform/sessions.ts'
import { eventually } from '../../support/eventually.ts'
import { startTerminal, type Terminal } from '../../support/terminal.ts'
import { drained, linesOf, messagesOf, OutletWorld } from './outlet-world.ts'

function openTerminal(t: ExecutionContext, world: OutletWorld, isShown: boolean, mode?: string): Promise<Terminal> {
  return startTerminal(t, world.file(`terminal-${fs.readdirSync(world.directory).length}`), isShown, mode)
}

function utmpOf(world: OutletWorld, sessions: ReadonlyArray<readonly [user: string, line: string]>): string {
  const text = sessions
    .map(
      ([user, line]) =>
        `[7] [01234] [s/1 ] [${user.padEnd(8)}] [${line.padEnd(12)}] [${'host'.padEnd(20)}] [0.0.0.0        ] [2026-11-25T00:00:00,000000+00:00]\n`,
    )
    .join('')
  const file = world.file('utmp')
  fs.writeFileSync(file, execFileSync('utmpdump', ['-r'], { input: text, stdio: ['pipe', 'pipe', 'ignore'] }))
  return file
}

function usersOutlet(world: OutletWorld, users: readonly string[], utmp: string): UsersOutlet {
  const places = { utmp, logind: world.file('no-logind') }
  return new UsersOutlet({ users, sessions: places, devices: '/dev' }, new FileLines(), world.metrics, systemClock)
}

test('console: lines from the left margin, control characters shown and not obeyed', async (t) => {
  const world = new OutletWorld(t)
  const terminal = await openTerminal(t, world, true)
  const destination = world.start(new ConsoleOutlet(terminal.device, new FileLines(), world.log, world.metrics))
  await world.store(['<13>1 2026-01-01T00:00:00Z web01 app - - - \x1b]0;evil\x07\x1b[2J', ...messagesOf(500)])
  await drained(destination)
  const lines = () =>
    terminal
      .text()
      .split(/[\r\n]+/)
      .filter((line) => line !== '')
  await eventually('all lines', () => lines().length === 501)
  t.deepEqual(lines(), ['2026-01-01T00:00:00Z web01.example.com app: #033]0;evil#007#033[2J', ...linesOf(500)])
  t.is(world.metrics.get('messagesNotShown'), 0)
})

test('console: a stuck terminal is given up, counted and passed over, and used again when it moves', async (t) => {
  const world = new OutletWorld(t)
  const terminal = await openTerminal(t, world, false)
  const destination = world.start(new ConsoleOutlet(terminal.device, new FileLines(), world.log, world.metrics))
  await world.store(messagesOf(5000))
  await drained(destination)
  t.true(Number(destination.status()['not_shown']) > 1000)
  t.is(world.told('terminal-stuck').length, 1)
  terminal.child.stdin!.write('show\n')
  await eventually('it moves', async () => {
    await world.store(messagesOf(1, 5000))
    await drained(destination)
    return terminal.text().includes('number 5000')
  })
  t.is(world.told('terminal-free').length, 1)
})

/** The kernel moves what was written on by and by, which makes room again: full is what takes nothing for a while. */
async function filled(fd: number): Promise<void> {
  for (let refused = 0; refused < 5; ) {
    try {
      fs.writeSync(fd, 'x')
      refused = 0
    } catch {
      refused++
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

test('users: everyone who is logged in and takes messages; a stuck terminal stops none', async (t) => {
  const world = new OutletWorld(t)
  const alice = await openTerminal(t, world, true)
  const bob = await openTerminal(t, world, true)
  const closed = await openTerminal(t, world, true, '600')
  const stuck = await openTerminal(t, world, false)
  // Filled to the brim.
  const fd = fs.openSync(stuck.device, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY)
  await filled(fd)
  const short = (terminal: Terminal) => terminal.device.slice('/dev/'.length)
  const utmp = utmpOf(world, [
    ['stuck', short(stuck)],
    ['alice', short(alice)],
    ['bob', short(bob)],
    ['carol', short(closed)],
    ['eve', 'pts/99999'],
    ['mallory', '../etc/passwd'],
  ])
  const destination = world.start(usersOutlet(world, ['*'], utmp))
  await world.store(messagesOf(20))
  await drained(destination)
  for (const terminal of [alice, bob]) {
    await eventually('all messages', () => terminal.text().includes('number 19'))
    t.is(terminal.text().match(/\r\n\x07Message from loghop@loghost at \w{3} \w{3} \d\d \d{4} [\d:]{8} \.\.\.\r+\n/g)?.length, 20)
  }
  t.is(closed.text(), '')
  t.is(destination.status()['shown'], 40)
  // The stuck one and the one that is not there.
  t.is(destination.status()['not_shown'], 40)
  fs.closeSync(fd)
})

test('users: by name, and nobody else', async (t) => {
  const world = new OutletWorld(t)
  const root = await openTerminal(t, world, true)
  const alice = await openTerminal(t, world, true)
  const short = (terminal: Terminal) => terminal.device.slice('/dev/'.length)
  const destination = world.start(
    usersOutlet(
      world,
      ['root', 'nobody'],
      utmpOf(world, [
        ['root', short(root)],
        ['alice', short(alice)],
      ]),
    ),
  )
  await world.store(messagesOf(1))
  await drained(destination)
  await eventually('the message', () => root.text().includes('number 0'))
  t.is(alice.text(), '')
})

test('sessions: records of utmp as last(1) writes them, torn ones, and files of logind', (t) => {
  const record = Buffer.alloc(384)
  record.writeInt16LE(7, 0)
  record.write('pts/3', 8)
  record.write('alice', 44)
  const dead = Buffer.from(record)
  dead.writeInt16LE(8, 0)
  t.deepEqual(decodeUtmp(Buffer.concat([dead, record, record.subarray(0, 383)]), UTMP_LAYOUTS.linux, 10), [
    { user: 'alice', line: 'pts/3' },
  ])
  t.is(decodeUtmp(Buffer.concat(Array(20).fill(record)), UTMP_LAYOUTS.linux, 10).length, 10)
  t.deepEqual(decodeUtmp(Buffer.alloc(384 * 3, 0xff), UTMP_LAYOUTS.linux, 10), [])
  t.deepEqual(decodeLogindSession('# private\nUID=0\nUSER=root\nACTIVE=1\nSTATE=active\nCLASS=user\nTTY=tty1\n'), {
    user: 'root',
    line: 'tty1',
  })
  t.is(decodeLogindSession('USER=gdm\nCLASS=greeter\nTTY=tty1\n'), undefined)
  t.is(decodeLogindSession('USER=root\nTTY=../sda\n'), undefined)
  const directory = fs.mkdtempSync('/tmp/dests-sessions-')
  t.teardown(() => fs.rmSync(directory, { recursive: true }))
  fs.writeFileSync(path.join(directory, '3'), 'USER=alice\nTTY=pts/4\nCLASS=user\n')
  t.deepEqual(readSessions({ utmp: path.join(directory, 'none'), logind: directory }), [{ user: 'alice', line: 'pts/4' }])
})
