import test from 'ava'
import { agentOptions } from '../../../agent/options.ts'
import { load, problemsOf } from '../../support/configuration.ts'

const HEAD = 'identity: /i\nspool: { directory: /s }\n'
const WHOLE = `${HEAD}sources: [ internal ]\nrelays: [ "relay:6514" ]\n`
const PIN = `sha-256:${Array(32).fill('AB').join(':')}`
const without = (key: string) =>
  WHOLE.split('\n')
    .filter((line) => !line.startsWith(key))
    .join('\n')

test('agentOptions() fills in every default', (t) => {
  t.deepEqual(load(`${without('sources')}sources:\n  - unix: /dev/log\n  - unix-stream: /run/log\n  - internal\n`, agentOptions), {
    identity: '/i',
    spool: { directory: '/s', limit: 2 ** 30, compress: 'none' },
    sources: [{ unix: '/dev/log', limit: 65_536, mode: 0o666 }, { 'unix-stream': '/run/log', limit: 65_536, mode: 0o666 }, 'internal'],
    relays: [{ address: { host: 'relay', port: 6514 } }],
    balance: false,
    fail_back: 60_000,
    log: { level: 'info', format: 'text' },
    renew: true,
    rules: [],
    revocation_interval: 300_000,
    stop_timeout: 10_000,
  })
})

test('agentOptions() takes what is given, and relays in both forms', (t) => {
  const options = load(
    `${HEAD.replace('/s', 'relative/s, limit: 64MiB, compress: zstd')}hostname: web01.example.com
sources: [ { unix: /dev/log, limit: 1MiB, mode: "0620" } ]
relays: [ "[::1]:6514", { address: "relay:1", pin: "${PIN.toLowerCase()}" }, { address: "relay:2" } ]
log: { level: debug, format: json }
balance: true
stop_timeout: 1min
`,
    agentOptions,
  )
  t.deepEqual(options.spool, { directory: 'relative/s', limit: 64 << 20, compress: 'zstd' })
  t.is(options.hostname, 'web01.example.com')
  t.deepEqual(options.sources, [{ unix: '/dev/log', limit: 1 << 20, mode: 0o620 }])
  t.deepEqual(options.relays, [
    { address: { host: '::1', port: 6514 } },
    { address: { host: 'relay', port: 1 }, pin: PIN },
    { address: { host: 'relay', port: 2 } },
  ])
  t.true(options.balance)
  t.deepEqual(options.log, { level: 'debug', format: 'json' })
  t.is(options.stop_timeout, 60_000)
})

for (const key of ['identity', 'spool', 'relays']) {
  test(`agentOptions() requires ${key}`, (t) => {
    const problems = problemsOf(without(key), agentOptions)
    t.is(problems.length, 1)
    t.regex(problems[0]!, new RegExp(`^1:1: ${key}: found nothing, allowed `))
  })
}

for (const [text, problem] of [
  ['rules: [ { select: "mail.loud", to: /var/log/mail } ]', /^5:20: rules\[0\]\.select: .*loud/],
  [
    'rules: [ { to: /var/log/a, format: bsd }, { to: "-/var/log/a" } ]',
    /^5:\d+: rules\[1\]\.to: .*rules\[0\] and rules\[1\] both lead to file \/var\/log\/a, with different format; give both the same\)/,
  ],
  [
    'relay: [ "a:1" ]',
    /^5:1: relay: found an unknown key \(did you mean "relays"\?\), allowed identity, authority, renew, revocation_interval, hostname, spool, /,
  ],
  ['hostname: "web 1"', /^5:11: hostname: found "web 1" \(not a host name\), allowed a host name such as/],
  ['balance: yes', /^5:10: balance: found "yes", allowed true or false$/],
  ['stop_timeout: 10', /^5:15: stop_timeout: found number 10, allowed a duration such as 10s/],
  ['stop_timeout: 99ms', /found "99ms" \(too small\)/],
  ['stop_timeout: 600001ms', /found "600001ms" \(too large\)/],
  ['log: { level: warning }', /^5:15: log.level: found "warning", allowed debug, info, warn or error$/],
] as const) {
  test(`agentOptions() refuses ${text}`, (t) => {
    const problems = problemsOf(`${WHOLE}${text}\n`, agentOptions)
    t.is(problems.length, 1)
    t.regex(problems[0]!, problem)
  })
}

for (const [source, problem] of [
  ['5', /^3:12: sources\[0\]: found number 5, allowed internal, kernel, journal or stdin, or a mapping with unix, unix-stream, file, /],
  ['{ unix: 5 }', /^3:20: sources\[0\].unix: found number 5, allowed a path/],
  ['{ unix: "" }', /found "" \(empty\)/],
  [`{ unix: /${'x'.repeat(103)} }`, /\(104 bytes\), allowed a path of at most 103 bytes/],
  ['{ unix: /l, limit: 1023 }', /found number 1023 \(too small\)/],
  ['{ unix: /l, limit: 1048577 }', /found number 1048577 \(too large\)/],
  ['{ unix: /l, mode: 0666 }', /found number 0666, allowed octal permissions in quotes such as "0666"/],
  ['{ unix: /l, mode: "0888" }', /found "0888" \(not three octal digits/],
  ['{ unix_stream: /l }', /did you mean "unix-stream"\?/],
  ['kernal', /^3:12: sources\[0\]: found "kernal", allowed internal, kernel, journal or stdin/],
  ['{ file: /l, levl: err }', /did you mean "level"\?/],
  ['{ file: /l, level: warn }', /sources\[0\].level: found "warn", allowed emerg, alert/],
  ['{ file: /l, program: "a b" }', /found "a b" \(not printable ASCII/],
  ['{ file: /l, encoding: utf8 }', /sources\[0\].encoding: found "utf8", allowed utf-8 or latin1/],
  ['{ file: /l, multi_line: yes }', /sources\[0\].multi_line: found "yes", allowed none, indented, digit, or a mapping with prefix/],
  ['{ file: /l, multi_line: { prefix: "" } }', /multi_line.prefix: found "" \(0 bytes\)/],
  ['{ mark: 20 }', /sources\[0\].mark: found number 20, allowed a duration such as 1s, from 1s to 7d/],
  ['{ mark: 1h }, { mark: 2h }', /sources\[1\]: .*the same as sources\[0\]/],
  ['{ journal: { from: start } }', /sources\[0\].journal.from: found "start", allowed boot, beginning or end/],
  ['{ journal: { fields: [ code ] } }', /journal.fields\[0\]: found "code" \(not capital letters/],
  ['{ journal: { namespace: "a b" } }', /journal.namespace: found "a b" \(not the name of a namespace\)/],
  ['kernel, { kernel: /dev/kmsg }', /^3:20: sources\[1\]: found .*the same as sources\[0\], and each message would come twice/],
  ['{ file: /l }, { file: /l, level: err }', /sources\[1\]: .*the same as sources\[0\]/],
  ['journal, kernel', /^3:21: sources\[1\]: .*the journal holds the kernel's messages too/],
] as const) {
  test(`agentOptions() refuses the source ${source.slice(0, 40)}`, (t) => {
    const problems = problemsOf(`${HEAD}sources: [ ${source} ]\nrelays: [ "relay:6514" ]\n`, agentOptions)
    t.is(problems.length, 1, problems.join('\n'))
    t.regex(problems[0]!, problem)
  })
}

test('agentOptions() takes every kind of source, and none', (t) => {
  const options = load(
    `${HEAD}relays: [ "relay:6514" ]
sources:
  - kernel
  - stdin
  - { pipe: /run/p }
  - { journal: { directory: /j, fields: [ CODE_FILE ] } }
  - { journal: { namespace: mail } }
  - { file: "/var/log/app/*.log", facility: local3, level: info, program: app, encoding: latin1, from: end, multi_line: { prefix: "[" }, limit: 8KiB }
  - file: /var/log/other
`,
    agentOptions,
  )
  t.deepEqual(options.sources, [
    'kernel',
    'stdin',
    { pipe: '/run/p', limit: 65_536, mode: 0o622 },
    { journal: { directory: '/j', from: 'boot', fields: ['CODE_FILE'], limit: 65_536 } },
    { journal: { namespace: 'mail', from: 'boot', fields: [], limit: 65_536 } },
    {
      file: '/var/log/app/*.log',
      facility: 'local3',
      level: 'info',
      program: 'app',
      encoding: 'latin1',
      from: 'end',
      multi_line: { prefix: '[' },
      limit: 8192,
    },
    { file: '/var/log/other', facility: 'user', level: 'notice', encoding: 'utf-8', from: 'beginning', multi_line: 'none', limit: 65_536 },
  ])
  t.is(load(`${HEAD}relays: [ "relay:6514" ]\n`, agentOptions).sources, undefined)
})

test('agentOptions() takes a source at its limits', (t) => {
  for (const limit of [1024, 1 << 20]) {
    t.notThrows(() => load(`${HEAD}sources: [ { unix: /${'x'.repeat(102)}, limit: ${limit} } ]\nrelays: [ "r:1" ]\n`, agentOptions))
  }
})

for (const [relay, problem] of [
  ['6514', /^4:11: relays\[0\]: found number 6514, allowed an address such as relay.example.com:6514, or a mapping with address/],
  ['relay', /found "relay" \(the port is missing\)/],
  ['{ pin: x, address: "r:1" }', /relays\[0\].pin: found "x" \(not the SHA-256/],
  ['{}', /relays\[0\].address: found nothing, allowed an address/],
  ['{ adress: "r:1" }', /did you mean "address"\?/],
] as const) {
  test(`agentOptions() refuses the relay ${relay}`, (t) => {
    const problems = problemsOf(`${HEAD}sources: [ internal ]\nrelays: [ ${relay} ]\n`, agentOptions)
    t.is(problems.length, 1, problems.join('\n'))
    t.regex(problems[0]!, problem)
  })
}

test('agentOptions() refuses empty lists and a spool below 64 MiB', (t) => {
  t.deepEqual(problemsOf('identity: /i\nspool: { directory: /s, limit: 67108863 }\nsources: []\nrelays: []\n', agentOptions), [
    '2:32: spool.limit: found number 67108863 (too small), allowed a size such as 1GiB, from 64MiB to 64TiB',
    '3:10: sources: found an empty list, allowed a list of at least one source',
    '4:9: relays: found an empty list, allowed a list of at least one relay',
  ])
})

test('agentOptions() describes every option', (t) => {
  for (const [key, option] of Object.entries(agentOptions.shape)) t.truthy(option.description, key)
})
