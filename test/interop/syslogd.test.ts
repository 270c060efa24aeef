// Where rsyslogd and inetutils' syslogd put a message of each facility and level, for selectors of every kind; and how rsyslogd writes a line.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Metrics } from '../../core/base/metrics.ts'
import { FoldRepeats } from '../../core/destinations/fold-repeats.ts'
import { compileRule, RuleList } from '../../core/pipeline/rules.ts'
import { lineFormat } from '../../core/syslog/line-format.ts'
import { MessageFields, messageContext } from '../../core/syslog/message-fields.ts'
import { FACILITIES, SEVERITIES } from '../../core/syslog/priority.ts'
import { compileSelector, selectsPri } from '../../core/syslog/selector.ts'
import { eventually } from '../support/eventually.ts'
import { rsyslogArguments, rsyslogConf } from '../support/rsyslog-conf.ts'
import { recordOf, textsOf } from '../unit/destinations/shaped.ts'

const PRIS = Array.from({ length: 192 }, (_, pri) => pri)

/** The selectors of FreeBSD's default file, which mean on Linux what Linux makes of them, and what only Linux has. */
const SELECTORS = [
  '*.err;kern.debug;auth.notice;mail.crit',
  '*.notice;kern.debug;lpr.info;mail.crit;news.err',
  'security.*',
  'auth.info;authpriv.info',
  'mail.info',
  'lpr.info',
  'cron.*',
  '*.emerg',
  '*.*;auth,authpriv.none',
  '*.=info;*.=notice;*.=warn;auth,authpriv.none;cron,daemon.none;mail,news.none',
  'mail.info;mail.!err',
  'mail.*;mail.!=notice',
  '*.info;local7.none;local7.=debug',
  'kern.!err',
  'kern.*;kern.!*',
  'uucp,news.crit',
  'mail.crit,news.alert',
  'user.panic;user.=error',
  'local0,local1.=debug;local1.warning',
  '*.none;daemon.err',
] as const

interface Kind {
  /** inetutils takes messages of the kernel from the kernel alone, and those of others as of user. */
  readonly pris: readonly number[]
  readonly name: string
  readonly program: (t: ExecutionContext, directory: string) => string | undefined
  readonly configuration: (lines: string, socket: string) => string
  readonly arguments: (file: string, directory: string, socket: string) => string[]
}

const KINDS: readonly Kind[] = [
  {
    pris: PRIS,
    name: 'rsyslogd',
    program: () => '/usr/sbin/rsyslogd',
    configuration: rsyslogConf,
    arguments: rsyslogArguments,
  },
  {
    pris: PRIS.slice(8),
    name: "inetutils' syslogd",
    program: inetutils,
    configuration: (lines) => lines,
    arguments: (file, directory, socket) => [
      ...['-n', '--no-klog', '-m', '0', '-f', file, '-p', socket, '-P', path.join(directory, 'pid'), '-D', path.join(directory, 'empty')],
    ],
  },
]

/** Its package conflicts with rsyslog's, so it is unpacked rather than installed. */
function inetutils(t: ExecutionContext, directory: string): string | undefined {
  try {
    execFileSync('apt-get', ['download', '-qq', 'inetutils-syslogd'], { cwd: directory, stdio: 'ignore' })
    const archive = fs.readdirSync(directory).find((name) => name.endsWith('.deb'))!
    execFileSync('dpkg', ['-x', archive, 'unpacked'], { cwd: directory })
    return path.join(directory, 'unpacked/usr/sbin/syslogd')
  } catch {
    t.log('not run: the Debian package inetutils-syslogd cannot be had')
    return undefined
  }
}

/** Runs the daemon with a file per selector, and sends the messages in one datagram each. @returns the lines of each file, the last that of `*.*` */
async function written(
  t: ExecutionContext,
  kind: Kind,
  messages: readonly string[],
  mark = (at: number) => `number ${at}.`,
  selectors: readonly string[] = SELECTORS,
): Promise<string[][] | undefined> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-syslogd-'))
  t.teardown(() => fs.rmSync(directory, { recursive: true }))
  const program = kind.program(t, directory)
  if (program === undefined) return undefined
  fs.mkdirSync(path.join(directory, 'empty'))
  const files = [...selectors, '*.*'].map((select, at) => ({ select, file: path.join(directory, `log-${at}`) }))
  const socket = path.join(directory, 'log')
  const configuration = path.join(directory, 'conf')
  for (const { file } of files) fs.writeFileSync(file, '')
  fs.writeFileSync(configuration, kind.configuration(`${files.map(({ select, file }) => `${select}\t${file}`).join('\n')}\n`, socket))
  const child = spawn(program, kind.arguments(configuration, directory, socket), {
    env: { ...process.env, TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  await eventually(
    `the socket of ${kind.name}`,
    () => fs.existsSync(socket),
    () => said,
  )
  const script =
    'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(sys.argv[1])\nfor line in sys.stdin.buffer.read().split(b"\\0"):\n  s.send(line)\n'
  execFileSync('python3', ['-c', script, socket], { input: messages.join('\0') })
  const linesOf = (file: string): string[] => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const last = files.at(-1)!.file
  await eventually(
    `${messages.length} lines of ${kind.name}`,
    () => messages.every((_, at) => linesOf(last).some((line) => line.includes(mark(at)))),
    () => `${linesOf(last).length} lines\n${said}`,
  )
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
  return files.map(({ file }) => linesOf(file))
}

for (const kind of KINDS)
  test(`${kind.name} takes a message of each facility and level for the same selectors as we do`, async (t) => {
    const found = await written(
      t,
      kind,
      kind.pris.map((pri) => `<${pri}>Nov 23 02:50:00 tag[7]: number ${pri}.`),
      (at) => `number ${kind.pris[at]}.`,
    )
    if (found === undefined) return t.pass()
    for (const [at, select] of SELECTORS.entries()) {
      const result = compileSelector(select, 'linux')
      if (result.kind === 'malformed') return t.fail(select)
      const taken = found[at]!.flatMap((line) => /number (\d+)\.$/.exec(line)?.slice(1).map(Number) ?? [])
      const shown = (pris: readonly number[]): string => pris.map((pri) => `${FACILITIES[pri >>> 3]}.${SEVERITIES[pri & 7]}`).join(' ')
      t.is(shown(taken), shown(kind.pris.filter((pri) => selectsPri(result.selector.bits, pri))), select)
    }
    return undefined
  })

test('rsyslogd writes a line byte for byte as the format bsd', async (t) => {
  const texts = ['plain', 'a tab\there', 'Grüße, 日本', '  two spaces before', 'an escape \u001b[1m and a bell \u0007', '#011 is no tab']
  const messages = texts.map((text, at) => `<13>Nov  3 02:50:00 app[${at}]: number ${at}. ${text}`)
  const found = await written(t, KINDS[0]!, messages)
  const format = lineFormat('bsd', () => 0)
  if (found === undefined || format.kind !== 'format') return t.fail()
  const year = new Date().getUTCFullYear()
  const expected = texts.map((text, at) => {
    const bytes = Buffer.from(`<13>1 ${year}-11-03T02:50:00Z h app ${at} - - number ${at}. ${text}`)
    const fields = new MessageFields()
    fields.begin(bytes, 0, bytes.length)
    const target = Buffer.alloc(4096)
    return target.toString('utf8', 0, format.format.write(fields, messageContext({ host: os.hostname() }), target, 0) - 1)
  })
  t.deepEqual(
    found.at(-1)!.filter((line) => line.includes('number ')),
    expected,
  )
  return undefined
})

const PROPERTIES = [
  ':msg, contains, "root"',
  ':msg, !contains, "root"',
  ':msg, startswith, " number 1"',
  ':msg, startswith, "number 1"',
  ':msg, isequal, " number 2. su"',
  ':msg, regex, "number [0-9]\\. \\(root\\|su\\)$"',
  ':msg, regex, "number [0-9]\\\\. \\\\(root\\\\|su\\\\)$"',
  ':msg, ereregex, "x \\\\(root\\\\|su\\\\)$"',
  ':msg, regex, "a+b"',
  ':msg, ereregex, "(root|su)$"',
  ':programname, isequal, "cron"',
  ':programname, startswith, "cr"',
  ':syslogtag, isequal, "sshd[7]:"',
  ':syslogfacility-text, isequal, "mail"',
  ':syslogseverity, isequal, "3"',
  ':pri-text, startswith, "auth.er"',
] as const

test('rsyslogd takes messages by their properties as we do', async (t) => {
  const kind = KINDS[0]!
  const rest = ['root', 'root here', 'su', 'a+b', 'aab', 'x (root|su)']
  const messages = [13, 19, 35].flatMap((pri) => ['sshd[7]', 'cron', 'crond[1]'].flatMap((tag) => rest.map((text) => ({ pri, tag, text }))))
  const found = await written(
    t,
    kind,
    messages.map(({ pri, tag, text }, at) => `<${pri}>Nov 23 02:50:00 ${tag}: number ${at}. ${text}`),
    undefined,
    PROPERTIES,
  )
  if (found === undefined) return t.fail()
  for (const [at, property] of PROPERTIES.entries()) {
    const rules = new RuleList([compileRule({ when: { property } }, 1, [0])])
    const expected = messages.flatMap(({ pri, tag, text }, index) => {
      const [, app, pid] = /^(\w+)(?:\[(\d+)\])?$/.exec(tag)!
      const bytes = Buffer.from(`<${pri}>1 2026-11-23T02:50:00Z h ${app} ${pid ?? '-'} - - number ${index}. ${text}`)
      return rules.route(bytes, 0, bytes.length, messageContext({ host: os.hostname() })) === 1 ? [index] : []
    })
    const taken = found[at]!.flatMap((line) => /number (\d+)\./.exec(line)?.slice(1).map(Number) ?? [])
    t.deepEqual(taken, expected, property)
  }
  return undefined
})

test("inetutils' syslogd writes and counts what is said again as repeated: fold does, but for the program that we name and a single repeat", async (t) => {
  const texts = [...'aaabbcdddddac'].map((letter) => `says ${letter}.`).concat('says end.')
  const kind = KINDS.find(({ name }) => name.startsWith('inetutils'))!
  const found = await written(
    t,
    kind,
    texts.map((text) => `<13>Nov 23 02:50:00 tag[7]: ${text}`),
    (at) => texts[at]!,
    [],
  )
  if (found === undefined) return t.pass()
  const theirs = found[0]!.map((line) => line.replace(/^.{15} \S+ /, '')).filter((line) => !line.startsWith('syslogd'))
  const fold = new FoldRepeats(undefined, undefined, undefined, new Metrics())
  const ours = textsOf(
    fold,
    recordOf(
      0,
      texts.map((text) => `<13>1 2026-11-23T02:50:00Z web01 tag 7 - - ${text}`),
    ),
  )
  const shown = ours.map((text) => {
    const fields = new MessageFields()
    const bytes = Buffer.from(text)
    fields.begin(bytes, 0, bytes.length)
    const result = lineFormat('$MSGHDR$MSG', () => 0)
    const line = Buffer.alloc(1000)
    const end = result.kind === 'format' ? result.format.write(fields, messageContext({}), line, 0) : 0
    return line.toString('utf8', 0, end - 1)
  })
  const classic = shown.map((line) => line.replace(/^tag: (?=last message)/, ''))
  t.deepEqual(
    // For a single repeat it has kept the message itself, and writes that.
    classic.map((line, at) => (line === 'last message repeated 1 times' ? classic[at - 1]! : line)),
    theirs,
  )
  t.true(theirs.includes('last message repeated 4 times'))
})
