/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros are written so. */
import test from 'ava'
import fc from 'fast-check'
import { lineFormat } from '../../../core/syslog/line-format.ts'
import { MACRO_NAMES, MacroReader } from '../../../core/syslog/macro-values.ts'
import { readTemplate } from '../../../core/syslog/macros.ts'
import { type MessageContext, MessageFields, messageContext } from '../../../core/syslog/message-fields.ts'
import { boundedComponent, macroPath, pathValue } from '../../../core/syslog/path-value.ts'
import { lineOf } from '../../support/completed.ts'

const MESSAGE = '<86>1 2026-11-23T02:50:00.123456+00:00 claimed sshd 1234 ID7 [a@32473.1 x="1" y="q\\"\\]"] Grüße\tdahin'
const RECEIVED_US = Date.UTC(2026, 10, 24, 3, 4, 5) * 1000 + 42
const CONTEXT = messageContext({
  host: 'web01.example.com',
  peer: 'relay1',
  via: 'relay1,relay2',
  sourceIp: '192.0.2.1',
  receivedUs: RECEIVED_US,
  stream: 'ab12',
  sequence: 7,
})

function line(format: string, message: string | Uint8Array = MESSAGE, context: MessageContext = CONTEXT, minutes = 0): string {
  const result = lineFormat(format, () => minutes)
  if (result.kind === 'malformed') throw new Error(result.reason)
  const bytes = typeof message === 'string' ? Buffer.from(message) : message
  const memory = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('behind ]"')])
  const fields = new MessageFields()
  fields.begin(memory, 6, 6 + bytes.length)
  const target = Buffer.alloc(4 * bytes.length + 4096, 0x7e)
  const end = result.format.write(fields, context, target, 3)
  // A line that does not fit is told, and none is written beyond its room.
  const tight = Buffer.alloc(16)
  if (result.format.write(fields, context, tight, 16) !== -1) throw new Error('there is no room')
  return target.toString('utf8', 3, end)
}

for (const [macro, expected] of [
  ['HOST', 'web01.example.com'],
  ['HOST_CLAIMED', 'claimed'],
  ['PEER', 'relay1'],
  ['VIA', 'relay1,relay2'],
  ['SOURCEIP', '192.0.2.1'],
  ['PROGRAM', 'sshd'],
  ['PID', '1234'],
  ['FACILITY', 'authpriv'],
  ['LEVEL', 'info'],
  ['PRI', '86'],
  ['TAG', '56'],
  ['YEAR', '2026'],
  ['MONTH', '11'],
  ['DAY', '23'],
  ['HOUR', '02'],
  ['MIN', '50'],
  ['SEC', '00'],
  ['WEEKDAY', 'Mon'],
  ['DATE', 'Nov 23 02:50:00'],
  ['ISODATE', '2026-11-23T02:50:00+00:00'],
  ['UNIXTIME', '1795402200'],
  ['R_DAY', '24'],
  ['R_HOUR', '03'],
  ['R_WEEKDAY', 'Tue'],
  ['R_ISODATE', '2026-11-24T03:04:05+00:00'],
  ['MSG', 'Grüße#011dahin'],
  ['MSGHDR', 'sshd[1234]: '],
  ['SDATA', '[a@32473.1 x="1" y="q\\"\\]"]'],
  ['.SDATA.a@32473.1.x', '1'],
  ['.SDATA.a@32473.1.y', 'q"]'],
  ['.SDATA.a@32473.1.z', ''],
  ['UNIQID', 'ab12-7'],
  ['MSGID', 'ID7'],
] as const) {
  test(`the macro ${macro} is ${JSON.stringify(expected)}`, (t) => {
    t.is(line(`\${${macro}}.`), `${expected}.\n`)
    if (/^\w+$/.test(macro)) t.is(line(`<$${macro}>`), `<${expected}>\n`)
  })
}

test('every macro gives something for every message, and one line', (t) => {
  for (const name of MACRO_NAMES)
    for (const message of [MESSAGE, '', 'x\ny', '<13>1 - - - - - -', '<13>1 - - - - - [a b="\n"] \n'])
      t.is(line(`$${name}`, message).split('\n').length, 2, name)
})

test('times are those of the zone, over midnight and new year', (t) => {
  t.is(line('$YEAR-$MONTH-$DAY $HOUR:$MIN $WEEKDAY', '<13>1 2026-12-31T23:30:00Z h a - - - x', CONTEXT, 60), '2027-01-01 00:30 Fri\n')
  t.is(line('$YEAR-$MONTH-$DAY $HOUR:$MIN', '<13>1 2027-01-01T00:10:00+02:00 h a - - - x', CONTEXT, -300), '2026-12-31 17:10\n')
  t.is(line('$ISODATE', '<13>1 2024-02-29T12:00:00-05:30 h a - - - x', CONTEXT, 345), '2024-02-29T23:15:00+05:45\n')
})

test('a message that tells no time has that of its receipt', (t) => {
  t.is(line('$ISODATE', '<13>1 - h a - - - x'), '2026-11-24T03:04:05+00:00\n')
  t.is(line('bsd', 'rubbish'), 'Nov 24 03:04:05 web01 rubbish\n')
})

test('rfc3339 is the line that has always been written, for any bytes', (t) => {
  const heads = ['<13>1 2026-11-23T02:50:00.123456+00:00 claimed app 42 ID - ', '<13>1 - h - - - [a b="]"] ', '<13>', '']
  fc.assert(
    fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 120 }), (head, text) => {
      const message = Buffer.concat([Buffer.from(head), text])
      t.is(line('rfc3339', message, messageContext({ host: 'web01' })), lineOf(message, 'web01').toString())
    }),
    { numRuns: 1000 },
  )
})

for (const [what, message, expected] of [
  ['a message', '<86>1 2026-11-03T02:50:00.9Z h sshd 1 - - text #033 é', 'Nov  3 02:50:00 web01 sshd[1]: text #033 é\n'],
  ['no PROCID', '<86>1 2026-11-13T02:50:00Z h sshd - - - text', 'Nov 13 02:50:00 web01 sshd: text\n'],
  ['no APP-NAME', '<86>1 2026-11-13T02:50:00Z h - - - - text', 'Nov 13 02:50:00 web01 text\n'],
  ['control characters', '<86>1 2026-11-13T02:50:00Z h a - - - a\nb\tc\u001b', 'Nov 13 02:50:00 web01 a: a#012b#011c#033\n'],
  ['no text', '<86>1 2026-11-13T02:50:00Z h a - - -', 'Nov 13 02:50:00 web01 a: \n'],
] as const)
  test(`bsd writes ${what} as syslogd does`, (t) => {
    t.is(line('bsd', message), expected)
  })

test('bsd shows an address whole', (t) => {
  const message = '<13>1 2026-11-13T02:50:00Z h a - - - x'
  t.is(line('bsd', message, messageContext({ host: '192.0.2.7' })), 'Nov 13 02:50:00 192.0.2.7 a: x\n')
  t.is(line('bsd', message, messageContext({ host: '2001:db8::1' })), 'Nov 13 02:50:00 2001:db8::1 a: x\n')
})

test('rfc5424 is the message itself, on one line', (t) => {
  t.is(line('rfc5424', MESSAGE), `${MESSAGE.replace('\t', '#011')}\n`)
  t.is(line('rfc5424', 'x\ny'), 'x#012y\n')
})

test('json has the fields under their names', (t) => {
  t.deepEqual(JSON.parse(line('json')), {
    '@timestamp': '2026-11-23T02:50:00.123456+00:00',
    'event.ingested': '2026-11-24T03:04:05.000042+00:00',
    'host.name': 'web01.example.com',
    'log.syslog.hostname': 'claimed',
    'log.syslog.appname': 'sshd',
    'log.syslog.procid': '1234',
    'log.syslog.msgid': 'ID7',
    'log.syslog.facility.code': 10,
    'log.syslog.facility.name': 'authpriv',
    'log.syslog.severity.code': 6,
    'log.syslog.severity.name': 'info',
    'log.syslog.priority': 86,
    'log.syslog.version': 1,
    'source.ip': '192.0.2.1',
    'log.syslog.structured_data.a@32473.1.x': '1',
    'log.syslog.structured_data.a@32473.1.y': 'q"]',
    message: 'Grüße\tdahin',
  })
  const twice = JSON.parse(line('json', '<13>1 - h a - - [a b="1" b="2" b="3"] x')) as Record<string, unknown>
  t.deepEqual(twice['log.syslog.structured_data.a.b'], ['1', '2', '3'])
})

test('json is valid and drives no terminal, whatever bytes come', (t) => {
  fc.assert(
    fc.property(fc.constantFrom('<13>1 - h a - - - ', '<13>1 - h a - - [a b="', ''), fc.uint8Array({ maxLength: 200 }), (head, text) => {
      const shown = line('json', Buffer.concat([Buffer.from(head), text]))
      t.regex(shown, /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*\n$/)
      t.is(typeof (JSON.parse(shown) as { message: unknown }).message, 'string')
    }),
    { numRuns: 1000 },
  )
  t.is((JSON.parse(line('json', '<13>1 - h a - - - a\u2028\u009b\u202eb')) as { message: string }).message, 'a\u2028\u009b\u202eb')
})

test('$$ is the sign itself, and what stands behind a name is text', (t) => {
  t.is(line('cost $$5 $PROGRAM-$PID $HOST.log'), 'cost $5 sshd-1234 web01.example.com.log\n')
})

for (const [text, column, reason] of [
  ['a $HOTS', 3, 'unknown macro HOTS (did you mean HOST?)'],
  ['a ${HOST', 3, 'a "${" without its "}"'],
  ['a $', 3, 'a "$" without a name'],
  ['${.SDATA.x}', 1, '${.SDATA.x} lacks its parameter'],
] as const)
  test(`the template ${text} is refused`, (t) => {
    const result = readTemplate(text)
    if (result.kind !== 'malformed') return t.fail()
    t.is(result.faults[0]?.column, column)
    t.true(result.faults[0]?.reason.startsWith(reason), result.faults[0]?.reason)
  })

test('a format that is neither a name nor a template is refused with the name that was meant', (t) => {
  t.deepEqual(
    lineFormat('rfc3393', () => 0),
    { kind: 'malformed', reason: 'neither a name (did you mean rfc3339?) nor a template with a macro in it' },
  )
})

function components(template: string, message: string | Uint8Array = MESSAGE, context = CONTEXT): string[] {
  const result = readTemplate(template)
  if (result.kind === 'malformed') throw new Error(result.faults[0]?.reason)
  const path = macroPath(result.template)
  if (path.kind === 'malformed') throw new Error(path.reason)
  const fields = new MessageFields()
  const bytes = Buffer.from(message)
  fields.begin(bytes, 0, bytes.length)
  return [path.path.base, ...path.path.components(new MacroReader(() => 0).read(fields, context))]
}

test('a path is split at its own slashes, and stays fixed up to the first macro', (t) => {
  t.deepEqual(components('/var/log/$HOST/$YEAR/$MONTH/$DAY/messages'), ['/var/log', 'web01.example.com', '2026', '11', '23', 'messages'])
  t.deepEqual(components('/var//log/./a.log'), ['/var/log', 'a.log'])
  t.deepEqual(components('/a/x-${PROGRAM}.log'), ['/a', 'x-sshd.log'])
})

test('no value leaves its component', (t) => {
  const named = (app: string): string => components('/a/$PROGRAM/x', `<13>1 - h ${app} - - - x`)[1]!
  t.is(named('..'), '%2E.')
  t.is(named('.bashrc'), '%2Ebashrc')
  t.is(named('a/../b'), 'a%2F..%2Fb')
  t.is(named('a%2Fb'), 'a%252Fb')
  t.is(named('-'), '-')
  t.is(components('/a/$PROGRAM/x', 'no header')[1], '-')
})

test('any bytes as values: one component each, no longer than a name may be, and different for different values', (t) => {
  const seen = new Map<string, string>()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const component = boundedComponent(pathValue(bytes))
      t.regex(component, /^[\x21-\x7e]{1,255}$/)
      t.false(component.includes('/') || component.startsWith('.'))
      const key = Buffer.from(bytes).toString('latin1')
      t.is(seen.get(component) ?? key, key)
      if (key !== '' && key !== '-') seen.set(component, key)
    }),
    { numRuns: 2000 },
  )
})

test('paths that are not absolute, step upwards or name no file are refused', (t) => {
  for (const [text, reason] of [
    ['var/$HOST', 'not absolute'],
    ['/var/../$HOST', 'a step upwards, ".."'],
    ['/var/$HOST/', 'a directory, not a file'],
  ] as const) {
    const result = readTemplate(text)
    t.deepEqual(result.kind === 'template' ? macroPath(result.template) : undefined, { kind: 'malformed', reason })
  }
})
