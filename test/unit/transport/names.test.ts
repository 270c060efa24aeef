import test from 'ava'
import { isHostName, isNamePattern, matchesName, normaliseName } from '../../../core/transport/names.ts'

const LABEL63 = 'a'.repeat(63)
const NAME253 = `${LABEL63}.${LABEL63}.${LABEL63}.${'b'.repeat(61)}`

test('isHostName() accepts host names of either case, with underscores, up to 63 and 253 characters', (t) => {
  for (const name of [
    'a',
    'web01',
    'WEB01.Example.com',
    'my_host.site-1.example',
    '3com.example',
    '42',
    '_syslog._tcp',
    LABEL63,
    NAME253,
  ]) {
    t.true(isHostName(name), name)
  }
})

test('isHostName() refuses what is none, above all what would be a path or an address', (t) => {
  const wrong = [
    '',
    '.',
    '..',
    'a..b',
    '.a',
    'a.',
    'a/b',
    '../a',
    '-a',
    'a-',
    'a.-b',
    'a b',
    'a\n',
    'a\0b',
    '*',
    '*.a',
    'é.example',
    '\u212a.example',
  ]
  for (const name of [...wrong, '10.0.0.1', '::1', `${LABEL63}a`, `${NAME253}b`, 'a,b', 'a\\b', '$HOST'])
    t.false(isHostName(name), JSON.stringify(name))
})

test('normaliseName() gives lower case', (t) => {
  t.is(normaliseName('WEB01.Example.COM'), 'web01.example.com')
})

test('isNamePattern() knows one wildcard only', (t) => {
  for (const pattern of ['*', 'a.b', '*.b', '*.b.c', '*.B']) t.true(isNamePattern(pattern), pattern)
  for (const pattern of ['', '**', '*.', '*b', 'a*.b', '*a.b', 'a.*', 'a.*.b', '*.*', '*.*.b', '.b', '*.10.0.0.1'])
    t.false(isNamePattern(pattern), pattern)
})

for (const [pattern, name, expected] of [
  ['web01.example.com', 'web01.example.com', true],
  ['WEB01.example.com', 'web01.EXAMPLE.com', true],
  ['web01.example.com', 'web02.example.com', false],
  ['*', 'anything.at.all', true],
  ['*', 'x', true],
  ['*', '../etc', false],
  ['*.site1.example.com', 'web01.site1.example.com', true],
  ['*.site1.example.com', 'a.b.site1.example.com', false],
  ['*.site1.example.com', 'site1.example.com', false],
  ['*.site1.example.com', '.site1.example.com', false],
  ['*.site1.example.com', 'web01xsite1.example.com', false],
  ['*.site1.example.com', '*.site1.example.com', false],
  ['*.example', 'example', false],
  ['w*.example.com', 'web01.example.com', false],
  ['*.*.example.com', 'a.b.example.com', false],
  ['', '', false],
] as const) {
  test(`matchesName() says ${expected} of ${JSON.stringify(name)} for pattern ${JSON.stringify(pattern)}`, (t) => {
    t.is(matchesName(pattern, name), expected)
  })
}
