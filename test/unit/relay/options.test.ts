import test from 'ava'
import { relayOptions } from '../../../relay/options.ts'
import { load, problemsOf } from '../../support/configuration.ts'

const PIN = `sha-256:${Array(32).fill('AB').join(':')}`
const LIMITS = {
  connections: 10_000,
  per_address: 1000,
  per_identity: 100,
  per_user: 100,
  handshake: 10_000,
  frame: 60_000,
  names: 1000,
  origins: 5000,
}
const DEFAULTS = { speaks_for: [], on_mismatch: 'rewrite', limit: 65_536, limits: LIMITS, allow: [], deny: [], proxy: [] }
const CLIENTS = 'clients: { names: [ "*" ] }'

function relay(listener: string, destination = '{ files: "/l/$HOST" }', rest = ''): string {
  return `identity: /i\nspool: { directory: /s }\nlisteners: [ ${listener} ]\ndestinations: [ ${destination} ]\n${rest}`
}

test('relayOptions() fills in every default', (t) => {
  t.deepEqual(load(relay(`{ tls: "0.0.0.0:6514", ${CLIENTS} }`), relayOptions), {
    identity: '/i',
    spool: { directory: '/s', limit: 10 * 2 ** 30, compress: 'none' },
    listeners: [
      {
        tls: [{ kind: 'address', host: '0.0.0.0', port: 6514 }],
        clients: { names: ['*'], pins: [], issuers: [], common_name: false },
        ...DEFAULTS,
      },
    ],
    destinations: [
      { files: '/l/$HOST', file_mode: 0o640, directory_mode: 0o750, create_dirs: true, fsync: 'checkpoint', compress: 'none' },
    ],
    log: { level: 'info', format: 'text' },
    passthrough: [],
    rules: [],
    renew: true,
    revocation_interval: 30_000,
    stop_timeout: 10_000,
  })
})

test('relayOptions() takes port 0, IPv6, pins alone, modes and limits at their bounds', (t) => {
  const listeners = `{ tls: "[::]:0", clients: { pins: [ "${PIN.toLowerCase()}" ] }, limit: 8KiB }, { tls: "h:1", ${CLIENTS}, limit: 1MiB }`
  const options = load(
    relay(listeners, `{ files: "/l/\${HOST}.log", file_mode: "600", directory_mode: "0700" }, { files: /all }`),
    relayOptions,
  )
  t.deepEqual(options.listeners[0], {
    ...DEFAULTS,
    tls: [{ kind: 'address', host: '::', port: 0 }],
    clients: { names: [], pins: [PIN], issuers: [], common_name: false },
    limit: 8192,
  })
  t.is(options.listeners[1]?.limit, 1 << 20)
  t.deepEqual(options.destinations[0], {
    files: `/l/\${HOST}.log`,
    file_mode: 0o600,
    directory_mode: 0o700,
    create_dirs: true,
    fsync: 'checkpoint',
    compress: 'none',
  })
})

for (const [listener, problem] of [
  [`{ tls: 6514, ${CLIENTS} }`, /^3:21: listeners\[0\].tls: found number 6514, allowed an address such as 0\.0\.0\.0:6514/],
  [`{ tls: "h:65536", ${CLIENTS} }`, /\(the port is not a number from 0 to 65535\)/],
  ['{ tls: "h:1" }', /^3:14: listeners\[0\].clients: found nothing, allowed a mapping with at least one of names/],
  ['{ tls: "h:1", clients: {} }', /found an empty mapping \(nobody could connect\)/],
  ['{ tls: "h:1", clients: { names: [], pins: [] } }', /\(nobody could connect\), allowed .*names: \["\*"\] admits every name of the CA/],
  ['{ tls: "h:1", clients: { name: [ a ] } }', /clients.name: found an unknown key \(did you mean "names"\?\), allowed names, pins/],
  ['{ tls: "h:1", clients: { names: [ "a.*.b" ] } }', /clients.names\[0\]: found "a\.\*\.b" \(not a name pattern\)/],
  ['{ tls: "h:1", clients: { names: "*" } }', /clients.names: found "\*", allowed a list of/],
  ['{ tls: "h:1", clients: { pins: [ abc ] } }', /clients.pins\[0\]: found "abc" \(not the SHA-256/],
  [`{ tls: "h:1", ${CLIENTS}, limit: 8191 }`, /found number 8191 \(too small\)/],
  [`{ tls: "h:1", ${CLIENTS}, limit: 1048577 }`, /found number 1048577 \(too large\)/],
  [
    '{ tcp: "0.0.0.0:5140" }',
    /^3:21: listeners\[0\].tcp: found "0\.0\.0\.0:5140" \(0\.0\.0\.0 is not loopback, .*use a tls listener there\)/,
  ],
  ['{ tcp: [ "127.0.0.1:1", "192.0.2.1:1" ] }', /listeners\[0\].tcp\[1\]: found "192\.0\.2\.1:1" \(192\.0\.2\.1 is not loopback/],
  ['{ udp: "[::]:5140" }', /\(:: is not loopback/],
  ['{ udp: "127.0.0.1:1", proxy: [ "::1" ] }', /listeners\[0\].proxy: found an unknown key/],
  [
    `{ tls: "h:1", ${CLIENTS}, allow: [ "10.0.0.0/33" ] }`,
    /listeners\[0\].allow\[0\]: found "10\.0\.0\.0\/33" \(neither an address nor a network\)/,
  ],
  [`{ tls: "h:1", ${CLIENTS}, on_mismatch: trust }`, /listeners\[0\].on_mismatch: found "trust"/],
  [`{ tls: "h:1", ${CLIENTS}, limits: { names: 0 } }`, /listeners\[0\].limits.names: found number 0/],
  ['', /^3:12: listeners: found an empty list, allowed a list of at least one listener/],
] as const) {
  test(`relayOptions() refuses the listeners ${listener}`, (t) => {
    const problems = problemsOf(relay(listener), relayOptions)
    t.is(problems.length, 1, problems.join('\n'))
    t.regex(problems[0]!, problem)
  })
}

for (const [destination, problem] of [
  ['{ files: var/log }', /^4:26: destinations\[0\].files: found "var\/log" \(not absolute\), allowed an absolute path such as/],
  ['{ files: /l/ }', /a directory, not a file/],
  ['{ files: /l/../m }', /a step upwards/],
  [`{ files: /${'l'.repeat(1024)} }`, /over 1024 bytes/],
  ['{ files: /l/$HOSTNAME }', /unknown macro HOSTNAME/],
  ['{ files: /l/$YAER/$HOST }', /unknown macro YAER \(did you mean YEAR\?\)/],
  ['{ files: /l, rotate: { keep: 3 } }', /neither size nor every/],
  ['{ files: /l, zone: Mars/Olympus }', /no such zone/],
  ['{ files: /l, format: rfc3164 }', /neither a name/],
  ['{ files: /l, repeated: count }', /destinations\[0\].repeated: found "count", allowed write or fold/],
  ['{ files: /l }, { files: /l }', /the same as destinations\[0\]/],
  ['{ files: /var/l }, { files: /var//./l }', /the same as destinations\[0\]/],
  ['{ pipe: relative }', /destinations\[0\].pipe: found "relative" \(not absolute\)/],
  ['{ users: "ro ot" }', /not names of users/],
  ['{ console: /dev/console, select: "mial.*" }', /column 1: found .*mial.*did you mean "mail"/],
  [`{ files: "/l/\${HOST" }`, /a "\$\{" without its "\}"/],
  ['{ files: "/l/a$" }', /a "\$" without a name/],
  ['{ files: /l, file_mode: 0640 }', /file_mode: found number 0640, allowed octal permissions in quotes/],
  ['{ files: /l, file_mode: "1777" }', /not three octal digits/],
  [
    '{ files: /l, forward: [ "central:6514" ] }',
    /destinations\[0\].forward: found an unknown key, allowed files, select, when, file_mode, directory_mode, owner, group, create_dirs, fsync, format, zone, limit, repeated, rotate, expire, compress, latest$/,
  ],
  ['{ file: /l }', /destinations\[0\].file: found an unknown key \(did you mean "files"\?\), allowed files,/],
  [
    '{ papyrus: /l }',
    /destinations\[0\]: found .*, allowed a mapping with files \(a path\), forward \(a list of relays\), or one of pipe, program/,
  ],
  ['5', /^4:17: destinations\[0\]: found number 5, allowed a mapping with files/],
  ['', /destinations: found an empty list, allowed a list of at least one destination/],
] as const) {
  test(`relayOptions() refuses the destinations ${destination.slice(0, 50)}`, (t) => {
    const problems = problemsOf(relay(`{ tls: "h:1", ${CLIENTS} }`, destination), relayOptions)
    t.is(problems.length, 1, problems.join('\n'))
    t.regex(problems[0]!, problem)
  })
}

test('relayOptions() takes the destinations of this host, and files as people keep them', (t) => {
  const written = [
    '{ pipe: /run/p }',
    '{ program: "cat > /dev/null" }',
    '{ program: [ /bin/cat, -u ], select: "*.err" }',
    '{ unix: /run/s }',
    '{ unix-stream: /run/s }',
    '{ console: /dev/console, select: "*.err;kern.debug" }',
    '{ users: "root, alice", select: "*.alert" }',
    '{ users: "*", select: "*.emerg" }',
    '{ discard: true, select: "mail.debug" }',
    '{ files: "/l/$HOST/$YEAR/m", owner: root, group: "4", create_dirs: false, fsync: batch, format: bsd, zone: UTC, rotate: { size: 10MiB, every: day, keep: 7, keep_for: 24h, keep_size: 1GiB, compress: gzip } }',
  ]
  const { destinations } = load(relay(`{ tls: "h:1", ${CLIENTS} }`, written.join(', ')), relayOptions)
  t.deepEqual(destinations.slice(6, 8), [
    { users: ['root', 'alice'], select: '*.alert' },
    { users: ['*'], select: '*.emerg' },
  ])
  t.deepEqual(destinations[9], {
    files: '/l/$HOST/$YEAR/m',
    file_mode: 0o640,
    directory_mode: 0o750,
    owner: 'root',
    group: '4',
    create_dirs: false,
    fsync: 'batch',
    compress: 'none',
    format: 'bsd',
    zone: 'UTC',
    rotate: { size: 10 << 20, every: 'day', keep: 7, keep_for: 86_400_000, keep_size: 1 << 30, compress: 'gzip' },
  })
})

test('relayOptions() fills in every default of a forward destination', (t) => {
  const [destination] = load(relay(`{ tls: "h:1", ${CLIENTS} }`, '{ forward: [ "central.example.com:6514" ] }'), relayOptions).destinations
  t.deepEqual(destination, {
    forward: [{ address: { host: 'central.example.com', port: 6514 } }],
    protocol: 'loghop',
    balance: false,
    fail_back: 60_000,
  })
})

test('relayOptions() takes forward destinations of every protocol, several and beside files', (t) => {
  const forwards = [
    `{ forward: [ "c1:6514", { address: "c2:6514", pin: "${PIN.toLowerCase()}" } ], balance: true }`,
    `{ forward: [ { address: "c1:2514", pin: "${PIN}" } ], protocol: relp }`,
    `{ forward: [ { address: "192.0.2.9:6514", pin: "${PIN}" } ], protocol: syslog-tls, framing: lines, balance: false }`,
    '{ forward: [ "127.0.0.1:514", "[::1]:514", "localhost:514" ], protocol: tcp }',
    '{ forward: [ "192.0.2.9:514", "far.example.com:514" ], protocol: udp, plaintext: accepted }',
    '{ files: /l }',
  ]
  const { destinations } = load(relay(`{ tls: "h:1", ${CLIENTS} }`, forwards.join(', ')), relayOptions)
  t.deepEqual(destinations, [
    {
      forward: [{ address: { host: 'c1', port: 6514 } }, { address: { host: 'c2', port: 6514 }, pin: PIN }],
      protocol: 'loghop',
      balance: true,
      fail_back: 60_000,
    },
    { forward: [{ address: { host: 'c1', port: 2514 }, pin: PIN }], protocol: 'relp', balance: false, fail_back: 60_000 },
    {
      forward: [{ address: { host: '192.0.2.9', port: 6514 }, pin: PIN }],
      protocol: 'syslog-tls',
      framing: 'lines',
      balance: false,
      fail_back: 60_000,
    },
    {
      forward: ['127.0.0.1', '::1', 'localhost'].map((host) => ({ address: { host, port: 514 } })),
      protocol: 'tcp',
      balance: false,
      fail_back: 60_000,
    },
    {
      forward: ['192.0.2.9', 'far.example.com'].map((host) => ({ address: { host, port: 514 } })),
      protocol: 'udp',
      balance: false,
      fail_back: 60_000,
      plaintext: 'accepted',
    },
    { files: '/l', file_mode: 0o640, directory_mode: 0o750, create_dirs: true, fsync: 'checkpoint', compress: 'none' },
  ])
})

for (const [destination, problem] of [
  ['{ forward: [] }', /destinations\[0\].forward: found an empty list, allowed a list of at least one relay/],
  ['{ forward: "c:6514" }', /destinations\[0\].forward: found "c:6514", allowed a list of at least one relay/],
  ['{ forward: [ "c" ] }', /forward\[0\]: found "c" \(the port is missing\)/],
  ['{ forward: [ { address: "c:1", pin: x } ] }', /forward\[0\].pin: found "x" \(not the SHA-256/],
  ['{ forward: [ "c:1" ], protocol: http }', /protocol: found "http", allowed loghop, relp or syslog-tls; tcp or udp to this host itself/],
  ['{ forward: [ "c:1" ], protocl: relp }', /protocl: found an unknown key \(did you mean "protocol"\?\)/],
  ['{ forward: [ "c:1" ], balance: "yes" }', /balance: found "yes", allowed true or false/],
  ['{ forward: [ "c:1" ], file_mode: "0640" }', /file_mode: found an unknown key/],
  ['{ forward: [ "::1" ], protocol: tcp }', /stands in brackets/],
  [
    '{ forward: [ "127.0.0.1:514", "192.0.2.9:514", "192.0.2.8:514" ], protocol: tcp }',
    /^4:93: destinations\[0\].protocol: found "tcp" \(192\.0\.2\.9 is not this host, .* anyone can read and change .*allowed .* plaintext: accepted/,
  ],
  ['{ forward: [ "localhost.example.com:514" ], protocol: udp }', /protocol: found "udp" \(localhost\.example\.com is not this host/],
  ['{ forward: [ "0.0.0.0:514" ], protocol: udp }', /0\.0\.0\.0 is not this host/],
  ['{ forward: [ "c:514" ], protocol: udp, plaintext: yes }', /plaintext: found "yes", allowed accepted$/],
  ['{ forward: [ "c:1" ], protocol: syslog-tls, framing: line }', /framing: found "line", allowed octet-counted, or lines that end in LF/],
  ['{ forward: [ "c:1" ], framing: lines }', /framing: found "lines" \(loghop has frames of its own; leave it out\)/],
  ['{ forward: [ "c:1" ], protocol: relp, framing: octet-counted }', /framing: found "octet-counted" \(relp has frames of its own/],
  ['{ forward: [ "[::1]:514" ], protocol: udp, framing: lines }', /framing: found "lines" \(udp has frames of its own/],
  [
    '{ forward: [ "c:514" ], select: "*.err" }',
    /select: found .* \(loghop carries whole batches; choose at the relay that receives them\)/,
  ],
  ['{ forward: [ "c:514" ], protocol: relp, when: { level: loud } }', /when.level: found "loud" \(unknown level loud/],
  ['{ forward: [ "c:514" ], plaintext: accepted }', /plaintext: found "accepted" \(loghop always has TLS; leave it out\)/],
  [
    `{ forward: [ { address: "127.0.0.1:1", pin: "${PIN}" } ], protocol: tcp }`,
    /forward\[0\].pin: found .* \(tcp has no certificate to compare it with\)/,
  ],
] as const) {
  test(`relayOptions() refuses ${destination}`, (t) => {
    const problems = problemsOf(relay(`{ tls: "h:1", ${CLIENTS} }`, destination), relayOptions)
    t.is(problems.length, 1, problems.join('\n'))
    t.regex(problems[0]!, problem)
  })
}

test('relayOptions() reports every fault of a file at once', (t) => {
  const text = relay('{ tls: relay, clients: { pins: [ x ] } }', '{ files: a, file_mode: 7 }', 'spol: 1\n')
  t.is(problemsOf(text, relayOptions).length, 5)
})

test('relayOptions() describes every option', (t) => {
  for (const [key, option] of Object.entries(relayOptions.shape)) t.truthy(option.description, key)
})

test('relayOptions() takes one passthrough, or a list of them', (t) => {
  const base = relay(`{ tls: "0.0.0.0:6514", ${CLIENTS} }`)
  const one = '{ listen: "0.0.0.0:8443", to: "ca.example.com:8443" }'
  t.is(load(`${base}\npassthrough: ${one}\n`, relayOptions).passthrough[0]!.to.host, 'ca.example.com')
  t.is(load(`${base}\npassthrough: [${one}, ${one}]\n`, relayOptions).passthrough.length, 2)
  t.regex(problemsOf(`${base}\npassthrough: { listen: "0.0.0.0:8443" }\n`, relayOptions).join(), /passthrough.*to/)
})
