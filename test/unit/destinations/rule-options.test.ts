import test from 'ava'
import { z } from 'zod'
import { filesOption } from '../../../core/destinations/files-options.ts'
import { ruleOption } from '../../../core/destinations/rule-options.ts'
import { planRules } from '../../../core/destinations/rule-targets.ts'
import { rulesOption } from '../../../core/destinations/rules-option.ts'
import { compileRule } from '../../../core/pipeline/rules.ts'
import { load, problemsOf } from '../../support/configuration.ts'

const schema = z.strictObject({ rules: z.array(ruleOption) })

const file = (path: string, isSynced = true, options: object = {}) => ({
  kind: 'file',
  isSynced,
  options: { ...filesOption.parse({ files: path }), ...options },
})
const local = (options: object) => ({ kind: 'local', options })

for (const [yaml, expected] of [
  ['/dev/console', file('/dev/console')],
  ['-/var/log/mail', file('/var/log/mail', false)],
  ['/var/log/$HOST/$DAY/messages', file('/var/log/$HOST/$DAY/messages')],
  ['/var//log/./$HOST//messages', file('/var/log/$HOST/messages')],
  ['"*"', local({ users: ['*'] })],
  ['"root, alice"', local({ users: ['root', 'alice'] })],
  ['{ file: /x/y, sync: false }', file('/x/y', false)],
  [
    '{ file: "/x/$DAY", owner: root, group: adm, file_mode: "0600", create_dirs: false, fsync: batch, zone: UTC, format: bsd, latest: latest }',
    file('/x/$DAY', true, {
      owner: 'root',
      group: 'adm',
      file_mode: 0o600,
      create_dirs: false,
      fsync: 'batch',
      zone: 'UTC',
      format: 'bsd',
      latest: 'latest',
    }),
  ],
  ['{ file: /x, rotate: { every: day, keep: 7 } }', file('/x', true, { rotate: { every: 'day', keep: 7, compress: 'zstd' } })],
  ['{ pipe: /dev/xconsole }', local({ pipe: '/dev/xconsole' })],
  ['{ pipe: /dev/xconsole, zone: UTC }', local({ pipe: '/dev/xconsole', zone: 'UTC' })],
  ['{ program: "/usr/bin/mailx root" }', local({ program: '/usr/bin/mailx root' })],
  ['{ program: [ /usr/bin/mailx, root ] }', local({ program: ['/usr/bin/mailx', 'root'] })],
  ['{ users: root }', local({ users: ['root'] })],
  ['{ console: /dev/tty9 }', local({ console: '/dev/tty9' })],
  ['{ discard: true }', local({ discard: true })],
  [
    '{ forward: [ "loghost:514" ], protocol: udp, plaintext: accepted }',
    { kind: 'forward', addresses: [{ host: 'loghost', port: 514 }], protocol: 'udp', framing: undefined },
  ],
  ['{ unix: /run/other/log }', local({ unix: '/run/other/log' })],
  ['{ unix-stream: /run/other/stream }', local({ 'unix-stream': '/run/other/stream' })],
] as const)
  test(`to: ${yaml}`, (t) => {
    t.deepEqual(load(`rules: [ { to: ${yaml} } ]`, schema).rules[0]?.to as unknown, expected)
  })

test('a rule with everything in it is read, and can be compiled', (t) => {
  const { rules } = load(
    `rules:
  - name: all of it
    select: "*.>=notice;mail.none"
    dialect: freebsd
    program: [ sshd, "su*" ]
    host: "-@"
    when:
      level: warning..emerg
      message: /^Failed/i
      structured_data: { id: a@1, name: b, value: c }
      any: [ { match: x }, { not: { property: 'msg, icase_contains, "y"' } } ]
    to: [ /var/log/a, root ]
    format: bsd
    stop: true
`,
    schema,
  )
  const rule = compileRule(rules[0]!, 1, [0])
  t.is(rule.stop, true)
  t.is(
    rule.condition?.text,
    'program sshd,su* and host -@ and structured data a@1 b = "c" and text matches /^Failed/i and (text has "x" or not (property msg, icase_contains, "y"))',
  )
})

for (const [what, rule, problems] of [
  [
    'two faults of a selector',
    '{ select: "mial.info;kern.crti", to: /a }',
    [/rules\[0\]\.select: .*did you mean "mail"/, /column 16: .*did you mean "crit"/],
  ],
  ['a misspelt key', '{ slect: "*.err", to: /a }', [/did you mean "select"/]],
  ['nowhere to go', '{ select: "*.err" }', [/rules\[0\]\.to: found nothing, allowed a path/]],
  ['an expression that looks around', '{ when: { message: "/(?=x)/" }, to: /a }', [/rules\[0\]\.when\.message: .*unsupported Perl syntax/]],
  ['a fault deep within', '{ when: { any: [ { level: wraning } ] }, to: /a }', [/rules\[0\]\.when\.any\[0\]\.level: .*wraning/]],
  ['a property that is none', '{ when: { property: \'mgs, contains, "x"\' }, to: /a }', [/when\.property: .*did you mean msg/]],
  ['an empty filter', '{ when: {}, to: /a }', [/rules\[0\]\.when: .*it tests nothing/]],
  ['a macro that is none', '{ to: /a/$HOTS/b }', [/unknown macro HOTS/]],
  ['a path upwards', '{ to: /a/../b }', [/step upwards/]],
  ['a bar', '{ to: "|/bin/x" }', [/write pipe: or program:/]],
  ['a host', '{ to: "@loghost" }', [/write forward:/]],
  ['a pipe that is not absolute', '{ to: { pipe: xconsole } }', [/pipe: .*absolute path/]],
  ['a receiver without a port', '{ to: { forward: [ "loghost" ], protocol: tcp, plaintext: accepted } }', [/the port is missing/]],
  ['plain text to elsewhere', '{ to: { forward: [ "loghost:514" ], protocol: tcp } }', [/write plaintext: accepted/]],
  ['batches by a rule', '{ to: { forward: [ "relay:6514" ], protocol: loghop } }', [/relays: ships everything to Loghop relays/]],
  ['a format that is none', '{ to: /a, format: jsn }', [/did you mean json/]],
  ['a size that is none', '{ to: { file: /a, rotate: { size: banana } } }', [/^1:\d+: rules\[0\]\.to\.rotate\.size: found "banana"/]],
  ['a period that is none', '{ to: [ /b, { file: /a, rotate: { every: dya } } ] }', [/rules\[0\]\.to\[1\]\.rotate\.every: found "dya"/]],
  ['a misspelt key of a file', '{ to: { file: /a, ower: root } }', [/rules\[0\]\.to\.ower: .*did you mean "owner"/]],
  ['expiry without a date', '{ to: { file: /a, expire: { keep: 3 } } }', [/rules\[0\]\.to\.expire: .*no date in it/]],
  ['a limit of nothing', '{ to: { pipe: /a, limit: { per: host } } }', [/rules\[0\]\.to\.limit: .*nothing would be limited/]],
  ['a selector within', '{ to: { file: /a, select: "*.err" } }', [/rules\[0\]\.to\.select: .*unknown key/]],
  ['a long path', `{ to: "/${'a'.repeat(1100)}" }`, [/rules\[0\]\.to: .*over 1024 bytes/]],
  ['another dialect', '{ select: "mail.<err", to: /a }', [/freebsd dialect/]],
] as const)
  test(`${what}: the fault is told where it is`, (t) => {
    const found = problemsOf(`rules: [ ${rule} ]`, schema)
    t.is(found.length, problems.length, found.join('\n'))
    for (const [at, pattern] of problems.entries()) t.regex(found[at]!, pattern)
  })

const together = z.strictObject({ rules: rulesOption })

test('rules that lead to one file with the same options are taken, however they are written', (t) => {
  const { rules } = load(
    `rules:
  - { select: "*.err", to: { file: /log/a, owner: root, rotate: { every: day, compress: zstd } } }
  - { select: "mail.*", to: { rotate: { every: day }, file: /log//a, sync: false, file_mode: "0640", owner: root }, format: rfc3339 }
  - { select: "*.*", to: /log/b, format: bsd }
  - { select: "*.*", to: { file: /log/b, format: bsd } }
  - { select: "*.*", to: [ { unix: /run/log }, "*" ], format: bsd }
  - { select: "*.*", to: [ { unix: /run/log }, { users: "*", format: bsd } ] }
`,
    together,
  )
  const { targets } = planRules(rules)
  t.deepEqual(
    targets.map(({ label }) => label),
    ['file /log/a', 'file /log/b', 'unix /run/log', 'everyone logged in'],
  )
})

for (const [what, rules, fault] of [
  [
    'other options',
    '[ { to: /log/a }, { name: mail, to: { file: /log/a, owner: root, rotate: { every: day } } } ]',
    /^1:\d+: rules\[1\]\.to: .*rules\[0\] and rules\[1\] \(mail\) both lead to file \/log\/a, with different owner, rotate; give both the same/,
  ],
  [
    'another format',
    '[ { name: one, to: [ root, /log/a ], format: bsd }, { to: /log/b }, { to: /log/a } ]',
    /rules\[0\] \(one\) and rules\[2\] both lead to file \/log\/a, with different format/,
  ],
  ['another limit', '[ { to: { pipe: /p } }, { to: { pipe: /p, limit: { rate: 1/s } } } ]', /both lead to pipe \/p, with different limit/],
  [
    'twice in one rule',
    '[ { to: [ /log/a, { file: /log/a, zone: UTC } ] } ]',
    /rules\[0\] leads twice to file \/log\/a, with different zone/,
  ],
  [
    'another framing',
    '[ { to: { forward: [ "127.0.0.1:5" ], protocol: tcp } }, { to: { forward: [ "127.0.0.1:5" ], protocol: tcp, framing: lines } } ]',
    /with different framing/,
  ],
  [
    'a terminal with an owner',
    '[ { to: { file: /dev/tty9, owner: root } } ]',
    /rules\[0\] leads to console \/dev\/tty9, no plain file, so it has no owner/,
  ],
] as const)
  test(`refused: two rules and one place, ${what}`, (t) => {
    const found = problemsOf(`rules: ${rules}`, together)
    t.is(found.length, 1, found.join('\n'))
    t.regex(found[0]!, fault)
  })
