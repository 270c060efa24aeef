// Two paths that can make the same files, one of which has its old files removed.

import test from 'ava'
import { z } from 'zod'
import { datedPattern } from '../../../core/destinations/dated-pattern.ts'
import { canMakeTheSame, pathShape } from '../../../core/destinations/path-overlap.ts'
import { rulesOption } from '../../../core/destinations/rules-option.ts'
import { readTemplate } from '../../../core/syslog/macros.ts'
import { relayOptions } from '../../../relay/options.ts'
import { load, problemsOf } from '../../support/configuration.ts'

for (const [a, b, expected] of [
  ['/log/$HOST/$YEAR/messages', '/log/all/$YEAR/messages', true],
  ['/log/$HOST/$YEAR/messages', '/log/$PROGRAM/$R_YEAR/messages', true],
  ['/log/$HOST/$YEAR/messages', '/log/$HOST/$YEAR/errors', false],
  ['/log/$HOST/$YEAR/messages', '/log/$HOST/$MONTH/messages', false],
  ['/log/$HOST/$MONTH/messages', '/log/$HOST/$DAY/messages', true],
  ['/log/$HOST/$YEAR/messages', '/log/$HOST/messages', false],
  ['/log/$HOST/$YEAR/messages', '/log/web01/2026/messages', true],
  ['/log/$HOST/$YEAR/messages', '/log/web01/26/messages', false],
  ['/log/$HOST/$YEAR/messages', '/log/web01/2026/messages.20261125T031207Z.zst', true],
  ['/log/$YEAR-$MONTH.log', '/log/$YEAR$MONTH.log', false],
  ['/log/$PROGRAM-$YEAR.log', '/log/cron.log', false],
  ['/log/$PROGRAM-$YEAR.log', '/log/cron-x-2026.log', true],
  ['/log/$PROGRAM.$DAY', '/log/cron.$HOST', true],
  ['/log/$WEEKDAY', '/log/Mon', true],
  ['/log/$WEEKDAY', '/log/messages', false],
  ['/log/$UNIXTIME', '/log/2026', true],
  ['/log/$YEAR/$PROGRAM', '/log/$YEAR/messages', true],
  ['/other/$HOST/$YEAR/messages', '/log/$HOST/$YEAR/messages', false],
  ['/log/$HOST.d/$YEAR', '/log/web01/$YEAR', false],
] as const)
  test(`${a} and ${b} ${expected ? 'can' : 'cannot'} make the same file`, (t) => {
    t.is(canMakeTheSame(pathShape(a), pathShape(b)), expected)
    t.is(canMakeTheSame(pathShape(b), pathShape(a)), expected)
    t.true(canMakeTheSame(pathShape(a), pathShape(a)))
    if (b.includes('$')) return
    // What expires goes by: it may know better, never see more.
    const read = readTemplate(a)
    if (read.kind === 'malformed') throw new Error(a)
    const pattern = datedPattern(read.template)
    const components = b.slice(pattern.base.length + 1).split('/')
    t.is(components.length === pattern.depth && components.every((one, at) => pattern.match(one, at) !== undefined), expected)
  })

const RELAY = `identity: /i
spool: { directory: /s, limit: 1GiB }
listeners: [ { udp: "127.0.0.1:5140" } ]
`
const EXPIRE = 'expire: { keep: 3 }'

for (const [what, yaml, fault] of [
  [
    'two destinations',
    `${RELAY}destinations:
  - { files: "/log/$HOST/$YEAR/messages", ${EXPIRE} }
  - { files: "/log/all/$YEAR/messages", select: "*.err" }
`,
    /^6:5: destinations\[1\]: .*destinations\[1\] \(\/log\/all\/\$YEAR\/messages\) and destinations\[0\] \(\/log\/\$HOST\/\$YEAR\/messages\) can make the same files, so expire of destinations\[0\] would remove those of destinations\[1\]; give each a folder of its own/,
  ],
  [
    'a destination and a rule',
    `${RELAY}destinations: [ { files: "/log/$HOST/$YEAR/messages" } ]
rules: [ { name: years, to: { file: "/log/$PROGRAM/$YEAR/messages", ${EXPIRE} } } ]
`,
    /^5:29: rules\[0\]\.to: .*expire of rules\[0\] \(years\) would remove those of destinations\[0\]/,
  ],
  [
    'compressed',
    `${RELAY}destinations: [ { discard: true } ]
rules: [ { to: { file: "/log/$HOST/$YEAR" } }, { to: { file: "/log/mail/$YEAR", compress: gzip } } ]
`,
    /compress of rules\[1\] would take those of rules\[0\]/,
  ],
  [
    'two rules',
    `${RELAY}destinations: [ { discard: true } ]
rules: [ { to: { file: "/log/$HOST/$YEAR", ${EXPIRE} } }, { to: "/log/mail/$YEAR" } ]
`,
    /^5:\d+: rules\[1\]\.to: .*expire of rules\[0\] would remove those of rules\[1\]/,
  ],
] as const)
  test(`refused: one removes the old files of the other, ${what}`, (t) => {
    const found = problemsOf(yaml, relayOptions)
    t.is(found.length, 1, found.join('\n'))
    t.regex(found[0]!, fault)
  })

test('taken: without expire, with folders of their own, and one place of several rules', (t) => {
  const schema = z.strictObject({ rules: rulesOption })
  const same = `{ file: "/log/$HOST/$YEAR", ${EXPIRE} }`
  t.notThrows(() => load('rules: [ { to: "/log/$HOST/$YEAR" }, { to: "/log/mail/$YEAR" } ]', schema))
  t.notThrows(() => load(`rules: [ { to: ${same} }, { to: "/log/mail/$YEAR/mail" } ]`, schema))
  t.notThrows(() => load(`rules: [ { select: "*.err", to: ${same} }, { select: "mail.*", to: ${same} } ]`, schema))
})
