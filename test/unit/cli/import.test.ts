import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { agentOptions } from '../../../agent/options.ts'
import { compareReadings } from '../../../cli/import-compare.ts'
import { type ConfEntry, guessDialect, readConf } from '../../../cli/import-conf.ts'
import { agentYaml } from '../../../cli/import-yaml.ts'
import { plainLines, readPlain } from '../../../cli/plain-reading.ts'
import { type RuleOptions, rulesDocument } from '../../../core/destinations/rule-options.ts'
import { compileSelector, selectsPri } from '../../../core/syslog/selector.ts'
import { DIALECTS, type Dialect } from '../../../core/syslog/selector-names.ts'
import { load } from '../../support/configuration.ts'
import { ENTRY } from '../../support/daemon.ts'
import { FREEBSD_DEFAULT } from '../../support/freebsd-default.ts'

function rulesOf(entries: readonly ConfEntry[], dialect: Dialect): readonly RuleOptions[] {
  return load(agentYaml(entries, ['c'], dialect), rulesDocument).rules
}

/** Each entry in short: a rule as its YAML's parts. */
function imported(text: string, dialect: Dialect): string[] {
  const entries = readConf(text, '/etc/c', dialect)
  return agentYaml(entries, ['c'], dialect)
    .split('\n')
    .slice(8, -1)
    .map((line) => line.trim())
}

test("FreeBSD's default, line by line", (t) => {
  t.deepEqual(imported(FREEBSD_DEFAULT, 'freebsd'), [
    '- { name: "c:1", select: "*.err;kern.debug;auth.notice;mail.crit", dialect: freebsd, to: /dev/console, format: bsd }',
    '- { name: "c:2", select: "*.notice;kern.debug;lpr.info;mail.crit;news.err", dialect: freebsd, to: /var/log/messages, format: bsd }',
    '- { name: "c:3", select: "security.*", dialect: freebsd, to: /var/log/security, format: bsd }',
    '- { name: "c:4", select: "auth.info;authpriv.info", to: /var/log/auth.log, format: bsd }',
    '- { name: "c:5", select: "mail.info", to: /var/log/maillog, format: bsd }',
    '- { name: "c:6", select: "lpr.info", to: /var/log/lpd-errs, format: bsd }',
    '- { name: "c:7", select: "cron.*", to: /var/log/cron, format: bsd }',
    '- { name: "c:8", select: "*.emerg", to: "*" }',
  ])
})

for (const [what, dialect, text, expected] of [
  [
    'comments and blank lines',
    'linux',
    '\n# one\n\n#two\nmail.* /m\n\n',
    ['# one', '', '#two', '- { name: "c:5", select: "mail.*", to: /m, format: bsd }'],
  ],
  ['a line that goes on', 'linux', 'mail.*;\\\n   news.err\t-/m', ['- { name: "c:1", select: "mail.*;news.err", to: "-/m", format: bsd }']],
  ['a named pipe', 'linux', '*.* |/dev/xconsole', ['- { name: "c:1", select: "*.*", to: { pipe: /dev/xconsole }, format: bsd }']],
  [
    'a program',
    'openbsd',
    '*.*\t|exec /bin/x "y"',
    ['- { name: "c:1", select: "*.*", to: { program: "exec /bin/x \\"y\\"" }, format: bsd }'],
  ],
  [
    'users',
    'linux',
    '*.alert root, alice\n*.crit :omusrmsg:bob',
    ['- { name: "c:1", select: "*.alert", to: "root,alice" }', '- { name: "c:2", select: "*.crit", to: bob }'],
  ],
  ['everyone', 'linux', '*.emerg :omusrmsg:*', ['- { name: "c:1", select: "*.emerg", to: "*" }']],
  ['terminals', 'linux', '*.* /dev/tty12', ['- { name: "c:1", select: "*.*", to: /dev/tty12, format: bsd }']],
  [
    'other hosts',
    'linux',
    '*.* @loghost\n*.* @@(o)[2001:db8::1]:10514',
    [
      '# it leaves this host without encryption; relays: carries everything safely',
      '- { name: "c:1", select: "*.*", to: { forward: [ "loghost:514" ], protocol: udp, plaintext: accepted } }',
      '# it leaves this host without encryption; relays: carries everything safely',
      '- { name: "c:2", select: "*.*", to: { forward: [ "[2001:db8::1]:10514" ], protocol: tcp, plaintext: accepted } }',
    ],
  ],
  [
    'TLS of OpenBSD',
    'openbsd',
    '*.*\t@tls://loghost',
    ['- { name: "c:1", select: "*.*", to: { forward: [ "loghost:6514" ], protocol: syslog-tls } }'],
  ],
  [
    'blocks of programs and hosts',
    'freebsd',
    '!ppp,ppd\n*.* /a\n!-su\n+web01\n*.* /b\n!*\n-@\n*.* /c\n#+*\n*.* /d # rest',
    [
      '- { name: "c:2", select: "*.*", program: "ppp,ppd", to: /a, format: bsd }',
      '# hosts are compared by their whole names; add the domain to web01 where they have one',
      '- { name: "c:5", select: "*.*", program: "-su", host: "web01", to: /b, format: bsd }',
      '- { name: "c:8", select: "*.*", host: "-@", to: /c, format: bsd }',
      '- { name: "c:10", select: "*.*", to: /d, format: bsd }',
    ],
  ],
  [
    'blocks that end the walk',
    'openbsd',
    '!!sudo\n*.*\t/s\n!*\n*.*\t/a',
    [
      '- { name: "c:2", select: "*.*", program: "sudo", to: /s, format: bsd, stop: true }',
      '- { name: "c:4", select: "*.*", to: /a, format: bsd }',
    ],
  ],
  [
    'a sign of comments that is none',
    'freebsd',
    ' #!ppp on line 1\n*.* /a\\#b # c\n!*\n:msg, contains, "#1"\n*.* /b',
    [
      '- { name: "c:2", select: "*.*", program: "ppp", to: "/a#b", format: bsd }',
      '- { name: "c:5", select: "*.*", dialect: freebsd, when: { property: "msg, contains, \\"#1\\"" }, to: /b, format: bsd }',
    ],
  ],
  [
    'a block that cannot be read is closed',
    'freebsd',
    '!a,,b\n*.* /a\n!*\n*.* /b',
    [
      '# not translated, c:1: an empty name; the lines of this block are left out: !a,,b',
      '# not translated, c:2: it belongs to a block that could not be read: *.* /a',
      '- { name: "c:4", select: "*.*", to: /b, format: bsd }',
    ],
  ],
  [
    'property filters of rsyslog',
    'linux',
    ':msg, contains, "a \\"b\\" c" /a\n& stop\n:programname,isequal,"x" ~\n*.* stop',
    [
      '- { name: "c:1", select: "*.*", when: { property: "msg, contains, \\"a \\\\\\"b\\\\\\" c\\"" }, to: /a, format: bsd, stop: true }',
      '- { name: "c:3", select: "*.*", when: { property: "programname,isequal,\\"x\\"" }, to: { discard: true }, stop: true }',
      '- { name: "c:4", select: "*.*", to: { discard: true }, stop: true }',
    ],
  ],
  [
    'a second action',
    'linux',
    'mail.* /a\n& /b',
    ['- { name: "c:1", select: "mail.*", to: /a, format: bsd }', '- { name: "c:2", select: "mail.*", to: /b, format: bsd }'],
  ],
  ['a named format', 'linux', 'mail.* /a;RSYSLOG_SyslogProtocol23Format', ['- { name: "c:1", select: "mail.*", to: /a, format: rfc5424 }']],
  [
    'a template of its own',
    'linux',
    'mail.* /a;mine',
    ['# the template mine is not translated; write it as format:', '- { name: "c:1", select: "mail.*", to: /a, format: bsd }'],
  ],
  [
    'marks',
    'freebsd',
    '*.info /all\nmark.*;mail.none /marks\ncron.* /cron',
    [
      'rules:',
      '- { name: "c:1", select: "*.info", dialect: freebsd, to: /all, format: bsd }',
      '- { name: "c:2", select: "mark.*;mail.none", to: /marks, format: bsd }',
      '- { name: "c:3", select: "cron.*", to: /cron, format: bsd }',
    ],
  ],
  [
    'all facilities, and of them no marks',
    'linux',
    '*.*;mark.none /all',
    ['- { name: "c:1", select: "*.*;mark.none", to: /all, format: bsd }'],
  ],
  ["a path with macros' sign", 'linux', 'mail.* /a/$HOST', ['- { name: "c:1", select: "mail.*", to: "/a/$$HOST", format: bsd }']],
] as const)
  test(`${dialect}: ${what}`, (t) => {
    t.deepEqual(imported(text, dialect), expected as unknown as string[])
    t.notThrows(() => rulesOf(readConf(text, '/etc/c', dialect), dialect))
  })

for (const [text, dialect, every] of [
  ['mark.* /m', 'openbsd', '20min'],
  ['*.*;mark.info /m', 'freebsd', '20min'],
  ['$ModLoad immark\n*.* /m', 'linux', '20min'],
  ['module(load="immark" interval="600")\n*.* /m', 'linux', '10min'],
  ['module(load="immark")\n$MarkMessagePeriod 90', 'linux', '90s'],
  ['mark.none /m\n*.* /n', 'linux', undefined],
] as const)
  test(`${dialect}: ${text.replace('\n', ', ')} gives ${every === undefined ? 'no marks' : `a mark every ${every}`}`, (t) => {
    const entries = readConf(text, '/etc/c', dialect)
    t.deepEqual(
      entries.filter(({ kind }) => kind === 'not translated'),
      [],
    )
    const { sources } = load(agentYaml(entries, ['c'], dialect), agentOptions)
    const wanted = every === undefined ? [] : [{ mark: Number.parseInt(every, 10) * (every.endsWith('min') ? 60_000 : 1000) }]
    t.deepEqual(
      sources?.filter((source) => typeof source === 'object' && 'mark' in source),
      wanted,
    )
  })

for (const [text, reason] of [
  ['module(load="immark" interval="0")', /no interval/],
  ['$MarkMessagePeriod often', /no interval/],
  ['$ModLoad imudp', /a setting of rsyslog itself; sources:/],
  ['$FileOwner syslog', /files of rules are 0640/],
  ['module(load="imudp"\n  x="y")', /RainerScript/],
  ['if $programname == "x" then {\n  action(type="omfile" file="/x")\n}', /RainerScript/],
  ['*.* ?DynFile', /a file named by a template/],
  ['*.* ^/bin/x', /started for each message/],
  ['*.* :ommysql:x', /an output module of rsyslog, ommysql/],
  ['mail.*', /no action behind the selectors/],
  ['mial.* /x', /did you mean "mail"/],
  ['*.* /a/../b', /a path that no file/],
  ['*.* @host:port', /a port by its name/],
  [':mgs, contains, "x" /y', /did you mean msg/],
] as const)
  test(`what cannot be translated is named with its reason: ${text}`, (t) => {
    const entries = readConf(`${text}\nmail.* /m`, '/etc/c', 'linux')
    t.deepEqual(
      entries.map((entry) => entry.kind),
      ['not translated', 'rule'],
    )
    const [first] = entries
    t.is(first?.line, 1)
    t.regex(first?.kind === 'not translated' ? first.reason : '', reason)
  })

test('whose file it is can often be told', (t) => {
  t.is(guessDialect('$ModLoad x\n'), 'linux')
  t.is(guessDialect('*.* @@host'), 'linux')
  t.is(guessDialect('!!sudo\n'), 'openbsd')
  t.is(guessDialect('*.*\t@tls://h'), 'openbsd')
  t.is(guessDialect('!ppp\n*.* /x'), 'freebsd')
  t.is(guessDialect('*.>=info /x'), 'freebsd')
  t.is(guessDialect('include /etc/syslog.d\n'), 'freebsd')
  t.is(guessDialect(FREEBSD_DEFAULT), undefined)
})

test('both readings agree on every facility and level of a file of each system', (t) => {
  const files: Readonly<Record<Dialect, string>> = {
    linux:
      '*.*;auth,authpriv.none -/s\n:msg, contains, "bad" /bad\n& stop\n*.=debug;*.!=debug;mail.none /d\nmail.info;mail.!err /m\n*.emerg *\n',
    freebsd: `${FREEBSD_DEFAULT}!-devd\n*.=debug /d\n!ppp\n*.* /p\n!*\n:msg, !icase_contains, "BAD"\n*.<=warning /x\n`,
    openbsd: '!!sudo\n*.notice;mail.crit\t/s\n!*\n+web*\nauth,mail.info\t/w\n+*\n*.err;mail.none\t/e\n',
  }
  const log = [
    'Nov 23 02:50:00 web01 sudo[3]: bad thing',
    'Nov 23 02:50:00 db sshd: good thing',
    '2026-11-23T02:50:00+00:00 db devd: x',
    '<34>Nov 23 02:50:00 web01 ppp[1]: dial',
    'nonsense',
  ].join('\n')
  for (const dialect of DIALECTS) {
    const text = files[dialect]
    const entries = readConf(text, '/etc/c', dialect)
    t.deepEqual(compareReadings(log, [{ file: '/etc/c', text }], entries, rulesOf(entries, dialect), dialect), {
      lines: 5,
      differences: [],
    })
  }
})

test('a rule that was made wrongly is found by the comparison', (t) => {
  const entries = readConf(FREEBSD_DEFAULT, '/etc/c', 'freebsd')
  const rules = rulesOf(entries, 'freebsd').map((rule, at) => (at === 1 ? { ...rule, dialect: 'linux' as const } : rule))
  const log = '<22>Nov 23 02:50:00 h postfix: x\n<20>Nov 23 02:50:00 h postfix: y'
  const { differences } = compareReadings(log, [{ file: '/etc/c', text: FREEBSD_DEFAULT }], entries, rules, 'freebsd')
  t.deepEqual(differences, ['line 2: mail.warning was taken by c:5, is taken by c:2, c:5: <20>Nov 23 02:50:00 h postfix: y'])
})

test('for any selectors the plain reading says what the table says', (t) => {
  const part = fc
    .tuple(
      fc.array(fc.constantFrom('*', 'kern', 'mail', 'auth', 'security', 'local3'), { minLength: 1, maxLength: 2 }),
      fc.constantFrom('', '=', '!', '!=', '<', '>=', '!<'),
      fc.constantFrom('*', 'none', 'emerg', 'err', 'warn', 'info', '7'),
    )
    .map(([names, sign, level]) => `${names.join(',')}.${sign}${level}`)
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), fc.constantFrom(...DIALECTS), (parts, dialect) => {
      const select = parts.join(';')
      const result = compileSelector(select, dialect)
      if (result.kind === 'malformed') return
      const lines = readPlain(`${select} /x`, dialect)
      for (let pri = 0; pri < 192; pri++) {
        const message = { facility: pri >>> 3, severity: pri & 7, program: 'p', pid: '', host: 'h', text: 't' }
        if ((plainLines(lines, message).length === 1) !== selectsPri(result.selector.bits, pri)) t.fail(`${dialect}: ${select}: ${pri}`)
      }
    }),
    { numRuns: 500 },
  )
  t.pass()
})

function run(t: ExecutionContext, files: Readonly<Record<string, string>>, args: readonly string[]) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-import-test-'))
  t.teardown(() => fs.rmSync(directory, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
    fs.writeFileSync(path.join(directory, name), text)
  }
  const done = spawnSync(process.execPath, [ENTRY, 'import', ...args], { cwd: directory, encoding: 'utf8' })
  return { ...done, directory }
}

test('loghop import reads what is included in its place, and says what it could not do', (t) => {
  const { status, stdout, stderr } = run(
    t,
    {
      'syslog.conf': 'mail.* /m\ninclude syslog.d\nkern.* /k\n',
      'syslog.d/b.conf': '!b\n*.* /b\n',
      'syslog.d/a.conf': 'x.* /a\n',
      'syslog.d/c.txt': 'nothing',
    },
    ['syslog.conf', '--dialect', 'freebsd'],
  )
  t.is(status, 0, stderr)
  t.deepEqual(
    [...stdout.matchAll(/name: "([^"]+)"/g)].map((match) => match[1]),
    ['syslog.conf:1', 'b.conf:2', 'syslog.conf:3'],
  )
  t.regex(stderr, /syslog\.d\/a\.conf:1: not translated: selector: column 1: found "x"/)
  t.regex(stderr, /3 rules made, 1 lines not translated/)
})

test('loghop import writes a new file only, and its comparison tells by its exit code', (t) => {
  const files = { 'syslog.conf': '*.notice;mail.crit /m\n$x\n', log: 'Nov 23 02:50:00 h p: x\n' }
  const { status, stderr, directory } = run(t, files, ['syslog.conf', '--out', 'agent.yaml', '--compare', 'log'])
  t.is(status, 0, stderr)
  t.regex(stderr, /mail\.crit changes nothing/)
  t.regex(stderr, /1 lines compared, all land where they did/)
  const written = fs.readFileSync(path.join(directory, 'agent.yaml'), 'utf8')
  t.regex(written, /^identity: .*\n/m)
  t.regex(written, /# not translated, syslog\.conf:2: a setting of rsyslog itself/)
  const again = spawnSync(process.execPath, [ENTRY, 'import', 'syslog.conf', '--out', 'agent.yaml'], { cwd: directory, encoding: 'utf8' })
  t.is(again.status, 1)
  t.regex(again.stderr, /Cannot write agent\.yaml: .*exist.*\n {2}Name a new file/)
  t.is(fs.readFileSync(path.join(directory, 'agent.yaml'), 'utf8'), written)
})

test('any text is imported without a throw, and every line of it is accounted for', (t) => {
  const piece = fc.constantFrom(
    '*.*',
    'mail.info',
    ' /x',
    '\t@h',
    '\n',
    '!',
    '+',
    ':msg, contains, "',
    '"',
    '#',
    '\\',
    '&',
    '$',
    '{',
    'if ',
    ';x',
    ' |',
    '*',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), fc.constantFrom(...DIALECTS), (pieces, dialect) => {
      const entries = readConf(pieces.join(''), '/etc/c', dialect)
      t.notThrows(() => rulesOf(entries, dialect))
      readPlain(pieces.join(''), dialect)
    }),
    { numRuns: 500 },
  )
})
