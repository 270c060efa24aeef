import test from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { formatToken, parseToken, requireToken, type Token } from '../../../core/identity/token.ts'

const TOKEN: Token = {
  server: '[2001:db8::7]:8443',
  name: '*.site1.example.com',
  role: 'agent',
  secret: 'A-_'.repeat(9),
  rootSpki: '0123456789abcdef'.repeat(4),
  expiresSeconds: 1_800_000_000,
}
const BEFORE_MS = (TOKEN.expiresSeconds - 1) * 1000

test('parseToken() reads what formatToken() writes, with space around it', (t) => {
  const text = formatToken(TOKEN)
  t.regex(text, /^loghop1_[A-Za-z0-9_-]+_[0-9a-f]{8}$/)
  t.deepEqual(parseToken(` ${text}\n`), { kind: 'ok', token: TOKEN })
})

test('parseToken() takes no part of a token, and none with a changed character', (t) => {
  const text = formatToken(TOKEN)
  for (let cut = 0; cut < text.length; cut++) t.is(parseToken(text.slice(0, cut)).kind, 'malformed', `cut at ${cut}`)
  for (let at = 0; at < text.length; at++) {
    const changed = text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1)
    t.is(parseToken(changed).kind, 'malformed', `changed at ${at}`)
  }
})

test('parseToken() takes no field that is not what it should be', (t) => {
  const wrong: Partial<Record<keyof Token, unknown>>[] = [
    { server: 'ca.example.com' },
    { server: 7 },
    { name: 'a b' },
    { role: 'root' },
    { secret: 'short' },
    { secret: undefined },
    { rootSpki: 'abcd' },
    { expiresSeconds: 1.5 },
    { expiresSeconds: '1' },
  ]
  for (const one of wrong) {
    const result = parseToken(formatToken({ ...TOKEN, ...one } as Token))
    t.is(result.kind, 'malformed', JSON.stringify(one))
    t.false(JSON.stringify(result).includes(TOKEN.secret))
  }
  t.like(parseToken('x'.repeat(2049)), { reason: 'it has 2049 characters, 2048 is the limit' })
  t.throws(() => formatToken({ ...TOKEN, server: `${'x'.repeat(2000)}:1` }), { instanceOf: RangeError })
})

test('requireToken() refuses the other role and a token past its time, before anything is dialled', (t) => {
  const code = (work: () => unknown) => t.throws(work, { instanceOf: LoghopError }).code
  const text = formatToken(TOKEN)
  t.deepEqual(requireToken(text, 'agent', BEFORE_MS), TOKEN)
  t.is(
    code(() => requireToken(text, 'relay', BEFORE_MS)),
    'TOKEN_ROLE',
  )
  t.is(
    code(() => requireToken(text, 'agent', BEFORE_MS + 1000)),
    'TOKEN_EXPIRED',
  )
  t.is(
    code(() => requireToken(text.slice(0, -1), 'agent', BEFORE_MS)),
    'TOKEN',
  )
})
