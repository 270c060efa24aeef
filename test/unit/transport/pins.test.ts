import test from 'ava'
import { normalisePin } from '../../../core/transport/pins.ts'

const HEX = '59378ff312a181b8bea36bbc78f1bce67dfaaa84b80b7933f952705a9802b23a'
const COLONS = HEX.toUpperCase().match(/../g)!.join(':')
const BASE64 = Buffer.from(HEX, 'hex').toString('base64')

for (const spelling of [
  `sha-256:${COLONS}`,
  `SHA-256:${COLONS.toLowerCase()}`,
  `sha256:${HEX}`,
  `sha-256:${HEX}`,
  ` sha256 Fingerprint=${COLONS}\n`,
]) {
  test(`normalisePin() reads the certificate pin ${spelling.trim().slice(0, 24)}...`, (t) => {
    t.is(normalisePin(spelling), `sha-256:${COLONS}`)
  })
}

for (const spelling of [
  `spki-sha256:${HEX}`,
  `SPKI-SHA256:${COLONS}`,
  `spki-sha256/${BASE64}`,
  `pin-sha256:${BASE64}`,
  `pin-sha256="${BASE64}"`,
  `sha256//${BASE64}`,
]) {
  test(`normalisePin() reads the key pin ${spelling.slice(0, 24)}...`, (t) => {
    t.is(normalisePin(spelling), `spki-sha256:${HEX}`)
  })
}

test('normalisePin() refuses a digest that is short, long, of another kind or misspelt', (t) => {
  const wrong = [
    '',
    HEX,
    'sha-256:',
    `sha-256:${HEX}0`,
    `sha-256:${HEX.slice(2)}`,
    `sha-1:${HEX.slice(0, 40)}`,
    `sha-256:${COLONS.slice(3)}`,
  ]
  const more = [
    `sha-256:${COLONS.replace(':', '')}`,
    `spki-sha256:${BASE64}`,
    `pin-sha256:${HEX}`,
    `pin-sha256:${BASE64.slice(4)}`,
    `pin-sha256:${BASE64}=`,
    `pin-sha256:!${BASE64}`,
  ]
  for (const pin of [...wrong, ...more]) t.is(normalisePin(pin), undefined, pin)
})
