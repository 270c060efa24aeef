import test from 'ava'
import fc from 'fast-check'
import { ByteSearch } from '../../../core/syslog/byte-search.ts'
import { CaselessName, GlobName, PlainName } from '../../../core/syslog/name-pattern.ts'
import { readNames } from '../../../core/syslog/name-test.ts'

const few = fc.constantFrom('a', 'b', 'ab', 'aab')
const text = fc.array(few, { maxLength: 12 }).map((parts) => parts.join(''))

test('a text is found where it stands within the bounds, and nowhere else', (t) => {
  fc.assert(
    fc.property(text, text, text, fc.array(few, { minLength: 1, maxLength: 4 }), (before, within, behind, parts) => {
      const wanted = parts.join('')
      const bytes = Buffer.from(before + within + behind)
      const isFound = new ByteSearch(Buffer.from(wanted)).isIn(bytes, before.length, before.length + within.length)
      t.is(isFound, within.includes(wanted), JSON.stringify({ before, within, behind, wanted }))
    }),
    { numRuns: 5000 },
  )
})

test('a name with stars and question marks matches as the same expression does', (t) => {
  const glob = fc.array(fc.constantFrom('a', 'b', '*', '?', '.'), { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''))
  const name = fc.array(fc.constantFrom('a', 'b', 'A', '.'), { maxLength: 10 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(glob, name, fc.boolean(), (pattern, word, isCaseless) => {
      const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`, isCaseless ? 'i' : '')
      const bytes = Buffer.from(`b${word}a`)
      t.is(new GlobName(pattern, isCaseless).matches(bytes, 1, 1 + word.length), expression.test(word), `${pattern} ${word}`)
    }),
    { numRuns: 5000 },
  )
})

test('a plain name is the whole of it, and a caseless one in any case', (t) => {
  const bytes = Buffer.from('xWeb01x')
  t.true(new PlainName('Web01').matches(bytes, 1, 6))
  t.false(new PlainName('web01').matches(bytes, 1, 6))
  t.false(new PlainName('Web0').matches(bytes, 1, 6))
  t.true(new CaselessName('WEB01').matches(bytes, 1, 6))
  t.false(new CaselessName('web01x').matches(bytes, 1, 6))
})

test('a star at worst costs the length of the name times that of the pattern', (t) => {
  const bytes = Buffer.from('a'.repeat(255))
  const before = process.cpuUsage()
  t.false(new GlobName(`${'*a'.repeat(120)}b`, false).matches(bytes, 0, bytes.length))
  t.true(process.cpuUsage(before).user < 1_000_000)
})

for (const [written, isHost, expected] of [
  ['*', false, 'everyone'],
  ['sshd, cron', false, 'sshd,cron'],
  ['-sshd', false, '-sshd'],
  ['!sshd', false, '-sshd'],
  ['+web01', true, 'web01'],
  ['a,,b', false, 'an empty name'],
  ['', false, 'an empty name'],
  ['a b', false, 'a character in it that no name has'],
  ['x'.repeat(256), false, 'a name of over 255 characters'],
  [Array.from({ length: 257 }, () => 'a').join(','), false, 'over 256 names'],
] as const)
  test(`the names ${written.slice(0, 20)} are ${expected}`, (t) => {
    const result = readNames(written, isHost)
    t.is(result.kind === 'malformed' ? result.reason : (result.names?.text ?? 'everyone'), expected)
  })
