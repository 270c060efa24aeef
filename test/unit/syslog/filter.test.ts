import test from 'ava'
import { compileFilter, type FilterOptions } from '../../../core/syslog/filter.ts'
import { posixToRe2, readRegex } from '../../../core/syslog/linear-regex.ts'
import { type MessageContext, MessageFields, messageContext } from '../../../core/syslog/message-fields.ts'
import { selectsPri } from '../../../core/syslog/selector.ts'
import type { Dialect } from '../../../core/syslog/selector-names.ts'

const SSHD =
  '<86>1 2026-11-23T02:50:00.123456+00:00 claimed sshd 1234 ID7 [a@1 x="1"][origin@32473 name="we\\"b" ip="192.0.2.1"][empty] Failed password for root from 192.0.2.9'
const CONTEXT = messageContext({ host: 'Web01.site1.example.com', peer: 'relay1', sourceIp: '192.0.2.1', localHost: 'loghost' })

/** Whether the message passes, wherever it stands in a buffer full of other text. */
function passes(options: FilterOptions, message = SSHD, context: MessageContext = CONTEXT, dialect: Dialect = 'linux'): boolean {
  const result = compileFilter(options, dialect)
  if (result.kind === 'malformed') throw new Error(result.faults.map((one) => `${one.path.join('.')}: ${one.reason}`).join('\n'))
  const answers = [0, 5].map((shift) => {
    const bytes = Buffer.from(`${'#'.repeat(shift)}${message}root denied sshd ]"`)
    const fields = new MessageFields()
    fields.begin(bytes, shift, shift + Buffer.byteLength(message))
    const { bits, condition } = result.filter
    return (bits === undefined || selectsPri(bits, fields.pri)) && (condition === undefined || condition.holds(fields, context))
  })
  if (answers[0] !== answers[1]) throw new Error('the answer depends on the place')
  return answers[0]!
}

for (const [options, isPassed] of [
  [{ program: 'sshd' }, true],
  [{ program: 'ssh' }, false],
  [{ program: ['cron', 'sshd'] }, true],
  [{ program: '-sshd,cron' }, false],
  [{ program: '!-cron' }, true],
  [{ program: '*' }, true],
  [{ program: 'ss*d' }, true],
  [{ program: 's?h?' }, true],
  [{ program: '*x*' }, false],
  [{ program: 'SSHD' }, false],
  [{ host: 'web01.site1.example.com' }, true],
  [{ host: '*.site1.example.com' }, true],
  [{ host: 'claimed' }, false],
  [{ host: '-web01.site1.example.com' }, false],
  [{ host: '+@' }, false],
  [{ peer: 'relay1' }, true],
  [{ source_address: '192.0.2.1' }, true],
  [{ source_address: '192.0.2.0/24' }, true],
  [{ source_address: ['10.0.0.0/8', '::ffff:192.0.2.0/120'] }, true],
  [{ source_address: ['10.0.0.0/8', '2001:db8::/32'] }, false],
  [{ not: { source_address: '192.0.2.0/31' } }, false],
  [{ facility: 'authpriv' }, true],
  [{ facility: ['mail', '10'] }, true],
  [{ facility: 'mail' }, false],
  [{ level: 'info' }, true],
  [{ level: 'warning..debug' }, true],
  [{ level: 'debug..warning' }, true],
  [{ level: 'warning..emerg' }, false],
  [{ level: 'emerg, info' }, true],
  [{ level: 'notice' }, false],
  [{ match: 'password' }, true],
  [{ match: ['nothing', '192.0.2.9'] }, true],
  [{ match: 'denied' }, false],
  [{ match: 'sshd' }, false],
  [{ message: '/^Failed (password|publickey) for \\w+/' }, true],
  [{ message: '/FAILED/' }, false],
  [{ message: '/FAILED/i' }, true],
  [{ message: '/9$/' }, true],
  [{ structured_data: { id: 'origin@32473' } }, true],
  [{ structured_data: { id: 'empty' } }, true],
  [{ structured_data: { id: 'empty', name: 'x' } }, false],
  [{ structured_data: { id: 'origin@32473', name: 'ip' } }, true],
  [{ structured_data: { id: 'origin@32473', name: 'name', value: 'we"b' } }, true],
  [{ structured_data: { id: 'origin@32473', name: 'x' } }, false],
  [{ structured_data: { id: 'a@1', name: 'x', value: '2' } }, false],
  [{ program: 'sshd', match: 'denied' }, false],
  [{ any: [{ match: 'denied' }, { program: 'sshd' }] }, true],
  [{ all: [{ level: 'info' }, { not: { match: 'root' } }] }, false],
  [{ not: { facility: 'mail' } }, true],
  [{ not: { all: [{ facility: 'authpriv' }, { level: 'info' }] } }, false],
  [{ property: 'programname, isequal, "sshd"' }, true],
  [{ property: ':programname, !isequal, "sshd"' }, false],
  [{ property: 'msg, startswith, " Failed"' }, true],
  [{ property: 'msg, startswith, "Failed"' }, false],
  [{ property: 'msg, contains_i, "FAILED"' }, true],
  [{ property: 'msg, regex, "for \\\\(root\\\\|admin\\\\) "' }, true],
  [{ property: 'msg, ereregex, "for (root|admin) "' }, true],
  [{ property: 'syslogtag, isequal, "sshd[1234]:"' }, true],
  [{ property: 'pri-text, isequal, "authpriv.info"' }, true],
  [{ property: 'hostname, startswith, "Web01"' }, true],
  [{ property: 'msgid, isempty' }, false],
  [{ property: ['programname, isequal, "sshd"', 'msg, contains, "root"'] }, true],
] as const satisfies ReadonlyArray<readonly [FilterOptions, boolean]>)
  test(`${JSON.stringify(options)} ${isPassed ? 'passes' : 'stops'} a message of sshd`, (t) => {
    t.is(passes(options), isPassed)
  })

test("FreeBSD's msg begins behind the space, and its operations may ignore case", (t) => {
  t.true(passes({ property: 'msg, startswith, "Failed"' }, SSHD, CONTEXT, 'freebsd'))
  t.true(passes({ property: 'msg, !icase_contains, "DENIED"' }, SSHD, CONTEXT, 'freebsd'))
  t.true(passes({ property: 'source, icase_ereregex, "^WEB"' }, SSHD, CONTEXT, 'freebsd'))
  t.true(passes({ property: 'hostname, ereregex, "site1\\\\.example\\\\.com$"' }, SSHD, CONTEXT, 'freebsd'))
  t.false(passes({ property: 'hostname, ereregex, "web01\\\\.com$"' }, SSHD, CONTEXT, 'freebsd'))
})

test('a source address that is not known is in no network, and the answer follows the context', (t) => {
  const result = compileFilter({ source_address: ['0.0.0.0/0', '2001:db8::/32'] })
  if (result.kind !== 'filter') return t.fail()
  for (const [sourceIp, isIn] of [
    ['192.0.2.1', true],
    ['', false],
    ['2001:db8::1', true],
    ['2001:db9::1', false],
  ] as const)
    t.is(result.filter.condition?.holds(new MessageFields(), messageContext({ sourceIp })), isIn)
  t.like(compileFilter({ any: [{ source_address: '192.0.2.0/33' }] }), {
    kind: 'malformed',
    faults: [{ path: ['any', 0, 'source_address'] }],
  })
})

test('@ is the host itself, and the answer follows the context', (t) => {
  const result = compileFilter({ host: '@' })
  if (result.kind !== 'filter') return t.fail()
  const fields = new MessageFields()
  for (const [host, localHost, isSame] of [
    ['a', 'a', true],
    ['b', 'a', false],
    ['b', 'B', true],
    ['b', 'c', false],
  ] as const)
    t.is(result.filter.condition?.holds(fields, messageContext({ host, localHost })), isSame)
})

test('a message without a header has only a text', (t) => {
  t.true(passes({ match: 'nonsense' }, 'nonsense <13>'))
  t.true(passes({ facility: 'user', level: 'notice' }, 'nonsense'))
  t.false(passes({ program: 'sshd' }, '<13>sshd: x'))
  t.true(passes({ program: '-sshd' }, '<13>sshd: x'))
  t.false(passes({ structured_data: { id: 'a' } }, '<13>1 - h a 1 - [a x'))
})

test('the mark of UTF-8 before the text is no part of it', (t) => {
  t.true(passes({ message: '/^Grüße$/' }, '<13>1 - h a - - - \ufeffGrüße'))
})

function faults(options: FilterOptions, dialect: Dialect = 'linux'): string[] {
  const result = compileFilter(options, dialect)
  return result.kind === 'malformed' ? result.faults.map((one) => `${one.path.join('.')}: ${one.reason}`) : []
}

test('all faults of a filter are told, each with its place', (t) => {
  t.deepEqual(faults({ level: 'wraning..emerg', facility: 'mial', program: 'a,,b', message: 'x', any: [{ message: '/(?=x)/' }, {}] }), [
    'level: unknown level wraning, did you mean warning?',
    'facility: unknown facility mial, did you mean mail?',
    'program: an empty name',
    'message: not between slashes',
    'any.0.message: invalid or unsupported Perl syntax: `(?=`',
  ])
  t.deepEqual(faults({ not: {} }), ['not: an empty mapping, which tests nothing'])
  t.deepEqual(faults({ any: [] }), ['any: an empty list'])
  t.deepEqual(faults({ match: '' }), ['match: an empty text, which is in every message'])
  t.deepEqual(faults({ structured_data: { id: 'a', value: 'b' } }), ['structured_data: a value without the name of its parameter'])
  t.regex(faults({ property: 'mgs, contains, "x"' })[0]!, /unknown property mgs \(did you mean msg\?\)/)
  t.regex(faults({ property: 'syslogtag, contains, "x"' }, 'freebsd')[0]!, /unknown property syslogtag, the known ones are msg, /)
  t.regex(faults({ property: 'msg, contians, "x"' })[0]!, /did you mean contains\?/)
  t.deepEqual(faults({ property: 'msg, contains' }), ['property: no value in quotes'])
})

for (const [posix, isBasic, expected] of [
  ['a+b', true, 'a\\+b'],
  ['\\(a\\|b\\)\\{2\\}', true, '(a|b){2}'],
  ['*a', true, '\\*a'],
  ['\\(*a\\)', true, '(\\*a)'],
  ['a*', true, 'a*'],
  ['[\\n]', true, '[\\\\n]'],
  ['[]a[:digit:]]x', false, '[]a[:digit:]]x'],
  ['(a|b)+\\.', false, '(a|b)+\\.'],
] as const)
  test(`the POSIX expression ${posix} is ${expected} of RE2`, (t) => {
    t.is(posixToRe2(posix, isBasic), expected)
  })

test('patterns that take other engines years take this one the time of the text', (t) => {
  const evil = `${'a'.repeat(50_000)}!`
  for (const pattern of ['/(a+)+$/', '/(a|aa)+$/', '/^(.*?,){20}P/', '/(.*)(.*)(.*)(.*)(.*)x$/', '/(a?){100}a{100}$/']) {
    const result = readRegex(pattern)
    if (result.kind !== 'regex') return t.fail(pattern)
    const before = process.cpuUsage()
    t.false(result.regex.test(evil), pattern)
    const { user, system } = process.cpuUsage(before)
    t.true(user + system < 5_000_000, `${pattern} took ${user + system} µs`)
  }
  return undefined
})
