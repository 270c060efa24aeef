import test from 'ava'
import fc from 'fast-check'
import { explain, explanationLines } from '../../../core/pipeline/explain.ts'
import { compileRule, RuleList, type RuleWords } from '../../../core/pipeline/rules.ts'
import { isMark, markMessage } from '../../../core/syslog/mark.ts'
import { MessageFields, messageContext } from '../../../core/syslog/message-fields.ts'
import { FACILITIES, SEVERITIES } from '../../../core/syslog/priority.ts'
import { compileSelector, selectsPri } from '../../../core/syslog/selector.ts'

const CONTEXT = messageContext({ host: 'web01', localHost: 'web01' })

function listOf(words: readonly RuleWords[]): RuleList {
  return new RuleList(words.map((one, at) => compileRule(one, at + 1, [at])))
}

function routed(list: RuleList, message: string, context = CONTEXT): number[] {
  const bytes = Buffer.from(`junk${message}junk`)
  const count = list.route(bytes, 4, bytes.length - 4, context)
  return [...list.hits.subarray(0, count)]
}

// FreeBSD's default syslog.conf, and by hand which levels of which facility go where: the number of levels from emerg on, 0 for none.
const FREEBSD_DEFAULT: ReadonlyArray<readonly [string, string]> = [
  ['*.err;kern.debug;auth.notice;mail.crit', '/dev/console'],
  ['*.notice;kern.debug;lpr.info;mail.crit;news.err', '/var/log/messages'],
  ['security.*', '/var/log/security'],
  ['auth.info;authpriv.info', '/var/log/auth.log'],
  ['mail.info', '/var/log/maillog'],
  ['lpr.info', '/var/log/lpd-errs'],
  ['cron.*', '/var/log/cron'],
  ['*.emerg', '*'],
]
const BY_HAND = `
            console messages security auth.log maillog lpd-errs cron everyone
kern              8        8        0        0       0        0    0        1
user              4        6        0        0       0        0    0        1
mail              3        3        0        0       7        0    0        1
daemon            4        6        0        0       0        0    0        1
auth              6        6        0        7       0        0    0        1
syslog            4        6        0        0       0        0    0        1
lpr               4        7        0        0       0        7    0        1
news              4        4        0        0       0        0    0        1
uucp              4        6        0        0       0        0    0        1
cron              4        6        0        0       0        0    8        1
authpriv          4        6        0        7       0        0    0        1
ftp               4        6        0        0       0        0    0        1
ntp               4        6        0        0       0        0    0        1
security          4        6        8        0       0        0    0        1
console           4        6        0        0       0        0    0        1
clock             4        6        0        0       0        0    0        1
local0            4        6        0        0       0        0    0        1
local1            4        6        0        0       0        0    0        1
local2            4        6        0        0       0        0    0        1
local3            4        6        0        0       0        0    0        1
local4            4        6        0        0       0        0    0        1
local5            4        6        0        0       0        0    0        1
local6            4        6        0        0       0        0    0        1
local7            4        6        0        0       0        0    0        1`

test("every facility and level through FreeBSD's default syslog.conf goes where a table made by hand says", (t) => {
  const list = listOf(FREEBSD_DEFAULT.map(([select]) => ({ select, dialect: 'freebsd' })))
  const rows = BY_HAND.trim().split('\n').slice(1)
  t.is(rows.length, FACILITIES.length)
  for (const [facility, row] of rows.entries()) {
    const [name, ...counts] = row.split(/\s+/)
    t.is(name, FACILITIES[facility])
    for (let severity = 0; severity < 8; severity++) {
      const expected = counts.flatMap((count, at) => (severity < Number(count) ? [at] : []))
      const message = `<${facility * 8 + severity}>1 2026-11-23T02:50:00Z h app - - - text`
      t.deepEqual(routed(list, message), expected, `${name}.${SEVERITIES[severity]}`)
    }
  }
})

test('rules are walked in order, stop ends the walk, and a destination gets a message once', (t) => {
  const list = new RuleList([
    compileRule({ select: 'mail.*' }, 1, [3, 1]),
    compileRule({ program: 'postfix*', stop: true }, 2, [1, 2]),
    compileRule({ select: 'mail.*', stop: true }, 3, [0]),
    compileRule({}, 4, [4]),
  ])
  t.deepEqual(routed(list, '<22>1 - h postfix/smtp - - - x'), [3, 1, 2])
  t.deepEqual(routed(list, '<22>1 - h exim - - - x'), [3, 1, 0])
  t.deepEqual(routed(list, '<30>1 - h postfix - - - x'), [1, 2])
  t.deepEqual(routed(list, '<30>1 - h exim - - - x'), [4])
  t.deepEqual(routed(list, 'no PRI at all'), [4])
})

test('no rules, and rules that choose nothing, send nothing anywhere', (t) => {
  t.deepEqual(routed(new RuleList([]), '<13>x'), [])
  t.deepEqual(routed(listOf([{ select: '*.none' }, { when: { level: 'emerg' } }]), '<13>x'), [])
})

test('any list of rules does what walking it one by one does', (t) => {
  const words = fc.record(
    {
      select: fc.constantFrom('*.*', '*.err', 'mail.*', 'kern.none', '*.=info;mail.none'),
      program: fc.constantFrom('sshd', '-sshd', 'c*', '*'),
      when: fc.constantFrom({ match: 'root' }, { level: 'warning..emerg' }, { not: { message: '/^x/' } }),
      stop: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const message = fc
    .tuple(fc.nat(191), fc.constantFrom('sshd', 'cron', 'su'), fc.constantFrom('root', 'x root', 'x', ''))
    .map(([pri, app, text]) => `<${pri}>1 - h ${app} - - - ${text}`)
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), fc.array(message, { minLength: 1, maxLength: 8 }), (rules, messages) => {
      const compiled = rules.map((one, at) => compileRule(one, at + 1, [at % 4, (at * 3) % 5]))
      const list = new RuleList(compiled)
      for (const text of messages) {
        const fields = new MessageFields()
        const bytes = Buffer.from(text)
        fields.begin(bytes, 0, bytes.length)
        const expected: number[] = []
        for (const rule of compiled) {
          if (!selectsPri(rule.bits, fields.pri) || rule.condition?.holds(fields, CONTEXT) === false) continue
          expected.push(...rule.destinations.filter((one, at, all) => !expected.includes(one) && all.indexOf(one) === at))
          if (rule.stop) break
        }
        t.deepEqual(routed(list, text), expected)
        t.deepEqual([...explain(compiled, bytes, CONTEXT).destinations], expected)
      }
    }),
    { numRuns: 500 },
  )
})

test('an explanation says of each rule whether it matches and why, and where the message goes', (t) => {
  const rules = [
    { name: 'errors', select: '*.err' },
    { name: 'logins', select: 'auth,authpriv.*', program: 'sshd', when: { match: 'Failed' } },
    { name: 'not root', when: { facility: 'authpriv', not: { match: 'root' } } },
    { name: 'guests', when: { all: [{ level: 'info' }, { any: [{ match: 'guest' }, { program: 'login' }] }] } },
    { name: 'last', select: 'authpriv.info', stop: true },
    { name: 'rest' },
  ].map((words, at) => compileRule(words, at + 1, [at]))
  const line = Buffer.from('<86>1 2026-11-23T02:50:00Z h sshd 1 - - Failed password for root')
  t.deepEqual(
    explanationLines(explain(rules, line, CONTEXT), (one) => `/${one}`),
    [
      'authpriv.info from web01, program sshd',
      '  errors does not match: *.err does not choose authpriv.info',
      '  logins matches: auth,authpriv.* chooses authpriv.info, and program sshd and text has "Failed" -> /1',
      '  not root does not match: it is so that text has "root"',
      '  guests does not match: none holds of text has "guest" or program login',
      '  last matches: authpriv.info chooses authpriv.info -> /4',
      '  rest not reached: last has stop: true',
      'goes to /1, /4',
    ],
  )
  t.is(explanationLines(explain([], line, CONTEXT), String).at(-1), 'goes nowhere by these rules')
})

test('marks are chosen by a table of their own', (t) => {
  const result = compileSelector('mark.info', 'freebsd')
  t.is(result.kind === 'selector' ? result.selector.markBits : -1, 0x7f)
  const list = listOf([
    { select: 'mark.info' },
    { select: '*.*', dialect: 'freebsd' },
    { program: 'x' },
    { select: 'mark.*', stop: true },
    {},
  ])
  const taken = (rules: RuleList, message: Uint8Array): number[] => {
    const count = rules.route(message, 0, message.length, CONTEXT)
    return [...rules.hits.subarray(0, count)]
  }
  const mark = markMessage('2026-11-25T03:12:07.000000+00:00', 'web01')
  t.deepEqual(taken(list, mark), [0, 3])
  const tests = listOf([{ select: 'syslog.*' }, { when: { match: 'MARK' } }, { when: { level: 'info' } }, { host: 'web01' }, {}])
  t.deepEqual(taken(tests, mark), [1, 3, 4])
  t.is(explain(tests.rules, mark, CONTEXT).message, 'mark.info from web01')
  t.is(explain(list.rules, mark, CONTEXT).rules[1]!.reason, '*.* (freebsd) does not choose mark.info')
})

test('no other message is a mark', (t) => {
  const mark = markMessage('2026-11-25T03:12:07.000000+00:00', 'web01')
  t.true(isMark(mark, 0, mark.length))
  const within = Buffer.concat([Buffer.from('before'), mark, Buffer.from('behind')])
  t.true(isMark(within, 6, 6 + mark.length))
  for (let end = 0; end < mark.length; end++) t.false(isMark(mark, 0, end), `cut at ${end}`)
  for (let at = 0; at < mark.length; at++) {
    if (at >= 6 && at < mark.length - 22 && mark[at] !== 0x20) continue
    const changed = Buffer.from(mark)
    changed[at]! ^= 1
    t.false(isMark(changed, 0, changed.length), `changed at ${at}`)
  }
  for (const text of [
    '<46>1 2026-11-25T03:12:07Z web01 app 7 - - text - - mark - -- MARK --',
    '<46>1 2026-11-25T03:12:07Z - - mark - -- MARK --',
    '<046>1 2026-11-25T03:12:07Z web01 - - mark - -- MARK --',
    '<46>1  web01 - - mark - -- MARK --',
    '<46>1 2026-11-25T03:12:07Z  - - mark - -- MARK --',
    '<46>1 - - mark - -- MARK --',
    ' - - mark - -- MARK --',
  ])
    t.false(isMark(Buffer.from(text), 0, text.length), text)
})
