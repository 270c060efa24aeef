import test from 'ava'
import fc from 'fast-check'
import { FACILITIES, SEVERITIES } from '../../../core/syslog/priority.ts'
import { compileSelector, faultText, type Selector, selectsPri } from '../../../core/syslog/selector.ts'
import type { Dialect } from '../../../core/syslog/selector-names.ts'

function compiled(text: string, dialect: Dialect = 'linux'): Selector {
  const result = compileSelector(text, dialect)
  if (result.kind === 'malformed') throw new Error(result.faults.map(faultText).join('\n'))
  return result.selector
}

/** `mail:crit,alert,emerg` per facility with any. */
function chosen(selector: Selector): string {
  const parts = [...FACILITIES, 'mark'].flatMap((name, code) => {
    const bits = code === 24 ? selector.markBits : selector.bits[code]!
    const levels = SEVERITIES.filter((_, level) => (bits >>> level) & 1)
    return levels.length === 0 ? [] : [`${name}:${levels.length === 8 ? '*' : levels.join(',')}`]
  })
  return parts.join(' ')
}

const only = (dialect: Dialect, text: string, expected: string) =>
  test(`${dialect}: ${text} chooses ${expected === '' ? 'nothing' : expected}`, (t) => {
    t.is(chosen(compiled(text, dialect)), expected)
  })

for (const dialect of ['linux', 'freebsd', 'openbsd'] as const) {
  only(dialect, 'mail.crit', 'mail:emerg,alert,crit')
  only(dialect, 'mail.*', 'mail:*')
  only(dialect, 'mail,news.alert', 'mail:emerg,alert news:emerg,alert')
  only(dialect, 'mail.crit,news.alert', 'mail:emerg,alert,crit news:emerg,alert')
  only(dialect, 'MAIL.Panic', 'mail:emerg')
  only(dialect, 'kern.2; cron.1', 'kern:emerg,alert,crit cron:emerg,alert')
  only(dialect, 'mail.*;mail.none', '')
  only(dialect, 'mark.info', 'mark:emerg,alert,crit,err,warning,notice,info')
}
for (const [text, expected] of [
  ['security.emerg', 'auth:emerg'],
  ['4.emerg;23.emerg', 'auth:emerg local7:emerg'],
  ['mail.=info', 'mail:info'],
  ['mail.=warn;mail.=error', 'mail:err,warning'],
  ['mail.info;mail.!err', 'mail:warning,notice,info'],
  ['mail.info;mail.!=err', 'mail:emerg,alert,crit,warning,notice,info'],
  ['mail.!err', ''],
  ['mail.*;mail.!*', ''],
  ['mail.!none', 'mail:*'],
  ['mail.notice;mail.crit', 'mail:emerg,alert,crit,err,warning,notice'],
  ['mail.none;mail.crit', 'mail:emerg,alert,crit'],
  ['mail,.emerg', 'mail:emerg'],
  ['audit,console,clock,ntp.emerg', 'ntp:emerg security:emerg console:emerg clock:emerg'],
] as const)
  only('linux', text, expected)
for (const [text, expected] of [
  ['security.emerg', 'security:emerg'],
  ['32.emerg', 'auth:emerg'],
  ['mail.=info', 'mail:info'],
  ['mail.>=crit', 'mail:emerg,alert,crit'],
  ['mail.>crit', 'mail:emerg,alert'],
  ['mail.<notice', 'mail:info,debug'],
  ['mail.<=notice', 'mail:notice,info,debug'],
  ['mail.<>notice', 'mail:emerg,alert,crit,err,warning,info,debug'],
  ['mail.!=notice', 'mail:emerg,alert,crit,err,warning,info,debug'],
  ['mail.!err', 'mail:warning,notice,info,debug'],
  ['mail.!<err', 'mail:emerg,alert,crit,err'],
  ['mail.!*', ''],
  ['mail.notice;mail.crit', 'mail:emerg,alert,crit'],
  ['mail.*;', 'mail:*'],
] as const)
  only('freebsd', text, expected)
only('openbsd', 'mail.notice;mail.crit', 'mail:emerg,alert,crit')
only('openbsd', 'security.emerg', 'auth:emerg')

test('all facilities include the marks on Linux and exclude them on the BSDs', (t) => {
  t.is(compiled('*.*').markBits, 0xff)
  t.is(compiled('*.*', 'freebsd').markBits, 0)
  t.is(compiled('*.*', 'openbsd').markBits, 0)
})

function faults(text: string, dialect: Dialect = 'linux'): string[] {
  const result = compileSelector(text, dialect)
  return result.kind === 'malformed'
    ? result.faults.map((one) => `${one.column}: ${one.found}${one.meant === undefined ? '' : ` ~${one.meant}`}`)
    : []
}

test('every fault of a selector is told, with its column and the word that was probably meant', (t) => {
  t.deepEqual(faults('mial.info;kern.crti, news.>=err'), ['1: "mial" ~mail', '16: "crti" ~crit', '27: ">="'])
  t.deepEqual(faults('mail'), ['1: "mail"'])
  t.deepEqual(faults(''), ['1: nothing'])
  t.deepEqual(faults('mail.'), ['6: nothing'])
  t.deepEqual(faults('.info'), ['1: nothing'])
  t.deepEqual(faults('mail.info;'), ['10: nothing behind ";"'])
  t.deepEqual(faults('mail.info;;kern.err'), ['11: nothing'])
  t.deepEqual(faults('mail.info kern.err'), ['11: "kern.err"'])
  t.deepEqual(faults('24.info'), ['1: "24"'])
  t.deepEqual(faults('4.info', 'freebsd'), ['1: "4"'])
  t.deepEqual(faults('mail.=info', 'openbsd'), ['6: "="'])
  t.deepEqual(faults('mail.8'), ['6: "8"'])
  t.deepEqual(faults('mail.=!info'), ['7: "!"'])
  t.deepEqual(faults('x'.repeat(5000)), ['1: 5000 characters'])
  const result = compileSelector('mial.info')
  if (result.kind !== 'malformed') return t.fail()
  t.regex(faultText(result.faults[0]!), /^column 1: found "mial", allowed kern, .*did you mean "mail"\?$/)
})

test('a selector that changes nothing in the dialect of Linux is remarked upon', (t) => {
  t.regex(compiled('*.notice;mail.crit').remarks[0]!, /^mail\.crit changes nothing/)
  t.deepEqual(compiled('*.notice;mail.crit', 'freebsd').remarks, [])
  t.deepEqual(compiled('*.err;kern.debug;auth.notice').remarks, [])
})

// The model: for each facility a set of levels, and each selector a statement about sets.
const facility = fc.constantFrom('*', 'kern', 'mail', 'auth', 'security', 'local7', 'mark')
const level = fc.constantFrom('*', 'none', 'emerg', 'crit', 'err', 'notice', 'info', 'debug')
const wordCode = (word: string, dialect: Dialect): number =>
  word === 'mark' ? 24 : word === 'security' && dialect !== 'freebsd' ? 4 : FACILITIES.indexOf(word as never)

function modelled(selectors: ReadonlyArray<{ words: string[]; sign: string; level: string }>, dialect: Dialect): Set<number>[] {
  const sets = Array.from({ length: 25 }, () => new Set<number>())
  const every = [0, 1, 2, 3, 4, 5, 6, 7]
  for (const { words, sign, level: name } of selectors) {
    const at = SEVERITIES.indexOf(name as never)
    for (const word of words) {
      const codes = word === '*' ? Array.from({ length: dialect === 'linux' ? 25 : 24 }, (_, code) => code) : [wordCode(word, dialect)]
      for (const code of codes) {
        const old = sets[code]!
        if (dialect === 'linux') {
          const named = new Set(name === '*' ? every : sign.includes('=') ? [at] : every.filter((one) => one <= at))
          if (name === 'none') sets[code] = new Set(sign.startsWith('!') ? every : [])
          else sets[code] = sign.startsWith('!') ? new Set([...old].filter((one) => !named.has(one))) : new Set([...old, ...named])
        } else {
          const isNamed = (one: number): boolean =>
            name === '*' ||
            (sign.replace('!', '') === '' && one <= at) ||
            (sign.includes('=') && one === at) ||
            (sign.includes('>') && one < at) ||
            (sign.includes('<') && one > at)
          sets[code] = new Set(name === 'none' ? [] : every.filter((one) => isNamed(one) !== sign.startsWith('!')))
        }
      }
    }
  }
  return sets
}

for (const [dialect, signs] of [
  ['linux', ['', '=', '!', '!=']],
  ['freebsd', ['', '=', '<', '>', '<=', '>=', '<>', '!', '!=', '!<', '!>=']],
  ['openbsd', ['']],
] as const)
  test(`${dialect}: any selectors in a row are what sets of levels say`, (t) => {
    const one = fc.record({ words: fc.array(facility, { minLength: 1, maxLength: 3 }), sign: fc.constantFrom(...signs), level })
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 8 }), (selectors) => {
        const text = selectors.map((part) => `${part.words.join(',')}.${part.sign}${part.level}`).join(';')
        const selector = compiled(text, dialect)
        for (const [code, set] of modelled(selectors, dialect).entries())
          for (let severity = 0; severity < 8; severity++) {
            const isChosen = code === 24 ? ((selector.markBits >>> severity) & 1) === 1 : selectsPri(selector.bits, code * 8 + severity)
            if (isChosen !== set.has(severity)) t.fail(`${text}: ${code}.${severity} is ${isChosen}`)
          }
      }),
      { numRuns: 500 },
    )
    t.pass()
  })

test('any text at all is compiled or refused with faults, and never thrown at', (t) => {
  const piece = fc.constantFrom('mail', '.', ',', ';', '*', '!', '=', '<', ' ', 'info', '\t', '\u0000', 'none', '9', 'é')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.constantFrom<Dialect>('linux', 'freebsd', 'openbsd'), (pieces, dialect) => {
      const result = compileSelector(pieces.join(''), dialect)
      if (result.kind === 'malformed') t.true(result.faults.length > 0 && result.faults.every((one) => one.column >= 1))
    }),
    { numRuns: 3000 },
  )
})
