import test from 'ava'
import { z } from 'zod'
import { ruleOption } from '../../../core/pipeline/rule-options.ts'
import { compileRule } from '../../../core/pipeline/rules.ts'
import { load, problemsOf } from '../../support/configuration.ts'

const schema = z.strictObject({ rules: z.array(ruleOption) })

for (const [yaml, expected] of [
  ['/dev/console', { kind: 'file', path: '/dev/console', isSynced: true }],
  ['-/var/log/mail', { kind: 'file', path: '/var/log/mail', isSynced: false }],
  ['/var/log/$HOST/$DAY/messages', { kind: 'file', path: '/var/log/$HOST/$DAY/messages', isSynced: true }],
  ['/var//log/./$HOST//messages', { kind: 'file', path: '/var/log/$HOST/messages', isSynced: true }],
  ['"*"', { kind: 'everyone' }],
  ['"root, alice"', { kind: 'users', names: ['root', 'alice'] }],
  ['{ file: /x/y, repeated: fold }', { kind: 'file', path: '/x/y', isSynced: true, repeated: 'fold' }],
  ['{ file: /x/y, sync: false }', { kind: 'file', path: '/x/y', isSynced: false }],
  ['{ pipe: /dev/xconsole }', { kind: 'pipe', path: '/dev/xconsole' }],
  ['{ program: "/usr/bin/mailx root" }', { kind: 'program', command: '/usr/bin/mailx root' }],
  ['{ users: root }', { kind: 'users', names: ['root'] }],
  ['{ discard: true }', { kind: 'discard' }],
  [
    '{ forward: [ "loghost:514" ], protocol: udp, plaintext: accepted }',
    { kind: 'forward', addresses: [{ host: 'loghost', port: 514 }], protocol: 'udp', framing: undefined },
  ],
  ['{ unix: /run/other/log }', { kind: 'unix', path: '/run/other/log' }],
  ['{ unix-stream: /run/other/stream }', { kind: 'unix-stream', path: '/run/other/stream' }],
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
  ['another dialect', '{ select: "mail.<err", to: /a }', [/freebsd dialect/]],
] as const)
  test(`${what}: the fault is told where it is`, (t) => {
    const found = problemsOf(`rules: [ ${rule} ]`, schema)
    t.is(found.length, problems.length, found.join('\n'))
    for (const [at, pattern] of problems.entries()) t.regex(found[at]!, pattern)
  })
