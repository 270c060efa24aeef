// The agent's sources against what really writes them: systemd's journal, the kernel's log, and files under logrotate.

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { Chain } from '../support/chain.ts'
import { Daemon, watched } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { spooledMessages } from '../support/numbered.ts'
import { difference, lineNumbers } from '../support/tailed-file.ts'

const BOOT = '0123456789abcdef0123456789abcdef'
const JOURNAL_REMOTE = '/lib/systemd/systemd-journal-remote'

/** A field in the Journal Export Format; one with other bytes than text with its length. */
function field(name: string, value: string | Buffer): Buffer {
  if (typeof value === 'string' && !value.includes('\n')) return Buffer.from(`${name}=${value}\n`)
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')])
}

/** Writes entries into the directory's journal with systemd-journal-remote. */
function writeJournal(directory: string, entries: ReadonlyArray<Readonly<Record<string, string | Buffer>>>): void {
  fs.mkdirSync(directory, { recursive: true })
  const startUs = Date.now() * 1000
  const input = entries.flatMap((entry, index) => [
    field('__REALTIME_TIMESTAMP', String(startUs + index)),
    field('__MONOTONIC_TIMESTAMP', String(startUs + index)),
    field('_BOOT_ID', BOOT),
    ...Object.entries(entry).map(([name, value]) => field(name, value)),
    Buffer.from('\n'),
  ])
  const done = spawnSync(JOURNAL_REMOTE, [`--output=${directory}/remote.journal`, '-'], { input: Buffer.concat(input), encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`systemd-journal-remote: ${done.stderr}`)
}

function numbered(from: number, to: number): Array<Record<string, string>> {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    PRIORITY: '6',
    SYSLOG_IDENTIFIER: 'app',
    MESSAGE: `line ${from + index} `,
  }))
}

function inSpool(chain: Chain): string[] {
  return spooledMessages(chain.place('agent-spool'))
}

function untilSpooled(chain: Chain, count: number, agent: Daemon): Promise<string[]> {
  let lines: string[] = []
  return eventually(
    `${count} messages in the spool`,
    () => {
      lines = inSpool(chain).filter((line) => / line \d+ x*$/.test(line))
      return lines.length >= count ? lines : undefined
    },
    () => `There are ${lines.length}: ${difference(lineNumbers(lines), count)}. ${agent.said}`,
  )
}

/** The journalctl that the agent has started. */
function childOf(pid: number): number {
  const found = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((name) => {
      const stat = fs.existsSync(`/proc/${name}/stat`) ? fs.readFileSync(`/proc/${name}/stat`, 'latin1') : ''
      return / \(journalctl\) /.test(stat) && Number(stat.split(') ').pop()!.split(' ')[1]) === pid
    })
  if (found === undefined) throw new Error(`no journalctl under ${pid}`)
  return Number(found)
}

test.serial('an entry of the journal keeps its priority, its fields and every byte of its text', async (t) => {
  const chain = await Chain.make(t)
  const directory = chain.place('journal')
  const binary = Buffer.from([0x6e, 0x75, 0x6c, 0x00, 0x01, 0xff, 0x0a, 0x0a, 0x65, 0x6e, 0x64])
  writeJournal(directory, [
    {
      PRIORITY: '3',
      SYSLOG_FACILITY: '4',
      SYSLOG_IDENTIFIER: 'sshd',
      SYSLOG_PID: '41',
      _PID: '42',
      _UID: '0',
      _COMM: 'sshd',
      _HOSTNAME: 'other',
      _SYSTEMD_UNIT: 'ssh.service',
      CODE_FILE: 'a "quoted]\\ name',
      MESSAGE: binary,
    },
    { MESSAGE: 'bare' },
    { PRIORITY: '6', SYSLOG_IDENTIFIER: 'no message', _TRANSPORT: 'kernel' },
  ])
  chain.agentOptions['sources'] = [{ journal: { directory, from: 'beginning', fields: ['CODE_FILE'] } }]
  const agent = await chain.startAgent()
  const segment = chain.place('agent-spool/segments/000000000001.segment')
  await eventually(
    'all three',
    () => inSpool(chain).length >= 3,
    () => agent.said,
  )
  const [first, second, third] = inSpool(chain)
  t.regex(
    first!,
    /^<35>1 \S+ web01\.example\.com sshd 42 - \[sender@32473 pid="42" uid="0" claimedPid="41"\]\[journal@32473 unit="ssh\.service" comm="sshd" hostname="other" CODE_FILE="a \\"quoted\\\]\\\\ name"\] nul/,
  )
  t.true(fs.readFileSync(segment).includes(binary))
  t.regex(second!, /^<14>1 \S+ web01\.example\.com - - - - bare$/)
  t.regex(third!, /^<6>1 \S+ web01\.example\.com no_message - - \[journal@32473 transport="kernel"\] $/)
})

test.serial('the journal is followed across kills of the agent and of journalctl: each entry once, in order', async (t) => {
  const chain = await Chain.make(t)
  const directory = chain.place('journal')
  writeJournal(directory, numbered(1, 3000))
  chain.agentOptions['sources'] = [{ journal: { directory, from: 'beginning' } }]
  let agent = Daemon.spawn(t, 'agent', chain.agentConfig)
  await agent.event('started')
  await eventually(
    'some of it in the spool',
    () => inSpool(chain).length > 0,
    () => agent.said,
  )
  await agent.end('SIGKILL')
  writeJournal(directory, numbered(3001, 4000))
  agent = await chain.startAgent()
  await untilSpooled(chain, 4000, agent)
  const mark = agent.mark
  process.kill(childOf(agent.pid), 'SIGKILL')
  await agent.event('journal-ended', mark)
  writeJournal(directory, numbered(4001, 4500))
  await untilSpooled(chain, 4500, agent)
  await agent.end('SIGTERM')
  agent = await chain.startAgent()
  writeJournal(directory, numbered(4501, 4510))
  const lines = await untilSpooled(chain, 4510, agent)
  const numbers = lineNumbers(lines)
  t.is(difference(numbers, 4510), undefined)
  t.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
})

test.serial('from: end takes only what comes later, also when the agent is restarted before anything has', async (t) => {
  const chain = await Chain.make(t)
  const directory = chain.place('journal')
  writeJournal(directory, [{ MESSAGE: 'old' }, { MESSAGE: 'older than the agent' }])
  chain.agentOptions['sources'] = [{ journal: { directory, from: 'end' } }]
  let agent = await chain.startAgent()
  const positions = (): string => {
    const folder = chain.place('agent-spool')
    const names = fs.readdirSync(folder).filter((name) => name.startsWith('positions'))
    return names.map((name) => fs.readFileSync(`${folder}/${name}`, 'utf8')).join('')
  }
  await eventually(
    'a cursor',
    () => positions().includes('s='),
    () => agent.said,
  )
  await agent.end('SIGKILL')
  writeJournal(directory, numbered(1, 2))
  agent = await chain.startAgent()
  await untilSpooled(chain, 2, agent)
  t.is(inSpool(chain).length, 2, inSpool(chain).join('\n'))
})

function canWriteKmsg(): boolean {
  try {
    fs.closeSync(fs.openSync('/dev/kmsg', 'w'))
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

test.serial("the kernel's messages come once, also across a kill, and carry the time at which they were written", async (t) => {
  if (!canWriteKmsg()) {
    t.log('not run: /dev/kmsg cannot be written here')
    t.pass()
    return
  }
  const name = `loghoptest${process.pid}`
  // One write is one record; without its line feed it would wait for the next.
  const write = (text: string): void => fs.writeFileSync('/dev/kmsg', `${text}\n`)
  const ours = (): string[] => inSpool(chain).filter((line) => line.includes(name))
  const chain = await Chain.make(t)
  chain.agentOptions['sources'] = ['kernel']
  const beforeUs = Date.now() * 1000
  write(`<30>${name}[77]: one`)
  let agent = await chain.startAgent()
  await eventually(
    'the first',
    () => ours().length >= 1,
    () => agent.said,
  )
  await agent.end('SIGKILL')
  write(`<28>${name}: two \\ x\x07 ü`)
  agent = await chain.startAgent()
  write(`<13>${name}: three`)
  await eventually(
    'all three',
    () => ours().length >= 3,
    () => agent.said,
  )
  await agent.end('SIGTERM')
  agent = await chain.startAgent()
  write(`<13>${name}: four`)
  await eventually(
    'all four',
    () => ours().length >= 4,
    () => agent.said,
  )
  const lines = ours()
  t.is(lines.length, 4, lines.join('\n'))
  const [one, two] = lines
  t.regex(one!, new RegExp(`^<30>1 \\S+ web01\\.example\\.com ${name} 77 - \\[kernel@32473 sequence="\\d+"\\] one$`))
  t.regex(two!, new RegExp(`^<28>1 \\S+ web01\\.example\\.com ${name} - - \\[kernel@32473 sequence="\\d+"\\] two \\\\ x\\x07 ü$`))
  const writtenMs = Date.parse(one!.split(' ')[1]!)
  t.true(Math.abs(writtenMs - beforeUs / 1000) < 2000, `${one} was written at ${new Date(beforeUs / 1000).toISOString()}`)
  // What the kernel itself has written, of which every machine has something.
  t.true(inSpool(chain).some((line) => /^<[0-7]>1 \S+ \S+ kernel - - \[kernel@32473 sequence="\d+"/.test(line)))
  const sequences = inSpool(chain).map((line) => Number(/sequence="(\d+)"/.exec(line)![1]))
  t.is(new Set(sequences).size, sequences.length)
})

async function logrotate(t: ExecutionContext, chain: Chain, file: string, option: string): Promise<void> {
  const config = chain.place('logrotate.conf')
  fs.writeFileSync(config, `${file} {\n  rotate 30\n  size 1\n  missingok\n  su root root\n  ${option}\n}\n`)
  const child = spawn('/usr/sbin/logrotate', ['--force', '--state', chain.place('logrotate.state'), config], { stdio: 'ignore' })
  t.is((await watched(t, child)).code, 0)
}

for (const kind of ['create', 'copytruncate'] as const) {
  test.serial(`100,000 lines under logrotate, 20 rotations with ${kind}: each line once`, async (t) => {
    const chain = await Chain.make(t)
    fs.mkdirSync(chain.place('app'))
    const file = chain.place('app/app.log')
    let fd = fs.openSync(file, 'a')
    chain.agentOptions['sources'] = [{ file: chain.place('app/*.log') }]
    const agent = await chain.startAgent()
    let count = 0
    const write = (lines: number): void => {
      let text = ''
      for (let line = 0; line < lines; line++) text += `line ${++count} ${'x'.repeat(count % 80)}\n`
      fs.writeSync(fd, text)
    }
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2))
    for (let rotation = 1; rotation <= 20; rotation++) {
      for (let part = 0; part < 45; part++) {
        write(100)
        await turn()
      }
      const rotated = logrotate(t, chain, file, kind === 'create' ? 'create 0600' : 'copytruncate')
      if (kind === 'create') {
        // The writer goes on in the file that was moved away until it opens the new one. With copytruncate it must pause: what is written between the
        // copy and the cut is lost to everyone.
        for (let part = 0; part < 5; part++) {
          write(100)
          await turn()
        }
        await rotated
        fs.closeSync(fd)
        fd = fs.openSync(file, 'a')
      } else {
        await rotated
        write(500)
      }
    }
    fs.closeSync(fd)
    t.is(count, 100_000)
    const lines = lineNumbers(await untilSpooled(chain, count, agent))
    t.is(difference(lines, count), undefined)
    t.is(fs.readdirSync(chain.place('app')).length, 21)
    t.is(execFileSync('sh', ['-c', `cat ${chain.place('app')}/* | wc -l`], { encoding: 'utf8' }).trim(), '100000')
  })
}
