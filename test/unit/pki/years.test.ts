// What decades do to an authority, by a clock that the tests turn.

import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { readRevocationList } from '../../../pki/crl.ts'
import { rotateRoot, rotationStatus } from '../../../pki/rotation.ts'
import { effort } from '../../support/effort.ts'
import { liveThrough } from '../../support/years.ts'
import { DAY_MS } from './made.ts'
import { FROM, HOST, MadeAuthority, makeRequest } from './requests.ts'

/** Whether there is a path from the leaf to a root on which everything is signed and valid at that time. */
function leads(chain: readonly Buffer[], roots: readonly X509Certificate[], nowMs: number): boolean {
  const [leaf, ...above] = chain.map((der) => new X509Certificate(der))
  const isValid = (one: X509Certificate) => one.validFromDate.getTime() <= nowMs && nowMs < one.validToDate.getTime()
  const isBelow = (one: X509Certificate, other: X509Certificate) => one.checkIssued(other) && one.verify(other.publicKey) && isValid(other)
  const reaches = (one: X509Certificate, steps: number): boolean =>
    isValid(one) &&
    (roots.some((root) => isBelow(one, root)) || (steps > 0 && above.some((other) => isBelow(one, other) && reaches(other, steps - 1))))
  return reaches(leaf!, above.length)
}

test('years on end: issuers are replaced by themselves, roots in time, and every chain and list holds at every step', async (t) => {
  t.timeout(600_000)
  const years = effort({ quick: 11, ci: 21, long: 41 })
  const made = await MadeAuthority.make(t)
  const { issuers, newRoots, renewals } = await liveThrough(made, years * 365, ({ day, chain, roots, revoked }) => {
    for (const root of roots) t.true(leads(chain, [root], made.nowMs), `day ${day}: the chain does not hold`)
    const lists = made.authority.revocationLists().map(({ der }) => readRevocationList(der))
    const isListed = (leaf: Buffer) => lists.some(({ serials }) => serials.has(new X509Certificate(leaf).serialNumber))
    if (revoked !== undefined) t.true(isListed(revoked[0]!), `day ${day}`)
    t.false(isListed(chain[0]!), `day ${day}`)
    for (const { nextUpdate } of lists) t.true(nextUpdate.getTime() > made.nowMs + 3 * DAY_MS, `day ${day}`)
    t.deepEqual(made.authority.problems(), [], `day ${day}`)
  })
  t.is(newRoots.length, Math.floor(years / 10))
  for (const [index, day] of newRoots.entries())
    t.true(day - (newRoots[index - 1] ?? 0) > 8.8 * 365 && day - (newRoots[index - 1] ?? 0) < 9 * 365, `${day}`)
  t.true(issuers < 2 * years, `${issuers} issuers were made`)
  t.log(`${years} years: ${renewals} renewals, ${issuers} issuers, new roots on day ${newRoots.join(' and ')}`)
})

test('a root that nobody replaces: it is told of for thirteen months, and its end makes no heap of issuers', async (t) => {
  const made = await MadeAuthority.make(t)
  const start = made.nowMs
  const at = async (day: number): Promise<string> => {
    made.nowMs = start + day * DAY_MS
    for (let i = 0; i < 5; i++) await made.authority.refreshRevocationLists()
    return made.authority
      .problems()
      .map(({ sentence }) => sentence)
      .join('; ')
  }
  for (let day = 0; day < 3250; day += 100) t.is(await at(day), '', `day ${day}`)
  t.regex(await at(3260), /^The root certificate expires on \d{4}-\d\d-\d\dT/)
  for (let day = 3270; day < 3700; day += 20) t.regex(await at(day), /The root certificate expire[ds] on/)
  t.regex(await at(3700), /The root certificate expired on/)
  const { issuers } = made.authority.state
  t.true(issuers.length < 20, `${issuers.length} issuers were made`)
  t.is(made.authority.state.certificates.size, 0)
  for (const { number } of issuers) {
    const { validFromDate, validToDate } = made.authority.directory.issuer(number)
    t.true(validToDate > validFromDate)
  }
  // What is asked for now is refused with a sentence, and nothing is issued.
  await t.throwsAsync(made.join(), { message: /Cannot issue a certificate: the issuing certificate ends on/ })
  t.is(made.authority.state.certificates.size, 0)
})

test('29 days after its end a certificate renews, 31 days after it is refused and nothing is issued; it can be invited again', async (t) => {
  const made = await MadeAuthority.make(t)
  const { certificate } = await made.join()
  const ends = new X509Certificate(certificate).validToDate.getTime()
  const ask = async () => made.authority.renew({ certificate, csr: await makeRequest(), from: FROM })
  made.nowMs = ends + 29 * DAY_MS
  t.is((await ask()).kind, 'issued')
  made.nowMs = ends + 31 * DAY_MS
  const answer = await ask()
  t.like(answer, { kind: 'refused', status: 403, remedy: `Invite the host again: loghop pki invite ${HOST} --role agent` })
  t.regex(
    answer.kind === 'refused' ? answer.sentence : '',
    /^Cannot renew the certificate of web01\.example\.com: it expired on \S+Z, and the 30 days of grace are over$/,
  )
  t.is(made.issued, 2)
  await t.notThrowsAsync(made.join())
})

test('a host five minutes behind or ahead of the authority takes its new certificates and lists', async (t) => {
  const made = await MadeAuthority.make(t)
  const { chain } = await made.join()
  await made.authority.refreshRevocationLists()
  const [list] = made.authority.revocationLists().map(({ der }) => readRevocationList(der))
  for (const skewMs of [-5 * 60_000, 0, 5 * 60_000]) {
    const theirMs = made.nowMs + skewMs
    for (const der of chain) t.true(new X509Certificate(der).validFromDate.getTime() <= theirMs, `${skewMs} ms`)
    t.true(list!.thisUpdate.getTime() <= theirMs && theirMs < list!.nextUpdate.getTime(), `${skewMs} ms`)
  }
  // The authority's clock was a year ahead and is right again: its lists are of now, and their numbers rise.
  made.nowMs += 365 * DAY_MS
  await made.authority.refreshRevocationLists()
  const ahead = readRevocationList(made.authority.revocationLists()[0]!.der)
  made.nowMs -= 365 * DAY_MS
  await made.authority.refreshRevocationLists()
  const back = made.authority.revocationLists().map(({ der }) => readRevocationList(der))
  for (const { thisUpdate } of back) t.true(thisUpdate.getTime() <= made.nowMs, 'a list of the future')
  t.true(back[0]!.number > 0 && ahead.number > 0)
  await t.notThrowsAsync(made.join('web02.example.com'))
  const { chain: after } = await made.join('web03.example.com')
  for (const der of after) t.true(new X509Certificate(der).validFromDate.getTime() <= made.nowMs, 'a certificate that is not valid yet')
})

test('a rotation that takes months ends all the same: the old root is not retired before its last host is over', async (t) => {
  const made = await MadeAuthority.make(t)
  made.nowMs += 9 * 365 * DAY_MS
  await made.authority.refreshRevocationLists()
  const { certificate } = await made.join()
  await made.authority.act((session) => rotateRoot(session, undefined))
  t.deepEqual(
    rotationStatus(made.authority.view()).missing.map(({ name }) => name),
    [HOST],
  )
  const [newRoot, oldRoot] = made.authority
    .bundle()
    .slice(0, 2)
    .map((der) => new X509Certificate(der))
  const answer = await made.authority.renew({ certificate, csr: await makeRequest(), from: FROM })
  if (answer.kind === 'refused') return t.fail(answer.sentence)
  for (const root of [newRoot!, oldRoot!]) t.true(leads(answer.chain, [root], made.nowMs))
})
