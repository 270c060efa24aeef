import { X509Certificate } from 'node:crypto'
import type { Clock } from '../core/base/clock.ts'
import { explain } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { listPem } from '../core/identity/revocation.ts'
import { type Answer, cached, refusal, unauthorised } from './est-answer.ts'
import { readBasic } from './est-basic.ts'
import { CSR_ATTRIBUTES, decodeBody, encodeBody } from './est-body.ts'
import { EST_LIMITS, FAILED_SECRET_RATE } from './est-limits.ts'
import { Rates } from './est-rate.ts'
import { certsOnly } from './pkcs7.ts'
import type { AuthorityService, EnrolAnswer } from './service.ts'

/** A request as the routes see it: no sockets. */
export interface EstRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  /** DER of the certificate whose key the handshake has proved; nothing else of it is proved. */
  readonly certificate: Buffer | undefined
  /** Address and port. */
  readonly from: string
  /** What limits are counted for. */
  readonly address: string
}

/** What is left to do once the body is there. */
type Act = (body: string) => Promise<Answer>
/** An answer that needs no body, or what to do with it. */
export type Routed = { readonly kind: 'answer'; readonly answer: Answer } | { readonly kind: 'needs-body'; readonly act: Act }

const EST = '/.well-known/est/'
const GIVE_CSR = 'Send a PKCS#10 request in DER, in base64: openssl req -new -key key.pem -subj / -outform DER | openssl base64'
const ROOTS_HEADER = /^[0-9a-f]{64}(?:, ?[0-9a-f]{64}){0,15}$/i

function answered(answer: Answer): Routed {
  return { kind: 'answer', answer }
}

function base64(contentType: string, der: Buffer): Answer {
  // RFC 7030 demands the second header, RFC 8951 section 3 lets clients ignore it: older ones look for it.
  return { status: 200, headers: { 'Content-Type': contentType, 'Content-Transfer-Encoding': 'base64' }, body: encodeBody(der) }
}

/** Every path of the enrolment server, and what it answers. What may be issued is the authority's affair alone. */
export class EstRoutes {
  readonly #authority: AuthorityService
  readonly #log: Log
  readonly #failedSecrets: Rates
  readonly #repeats: RepeatGuard
  #acts = 0

  constructor(authority: AuthorityService, log: Log, clock: Clock) {
    this.#authority = authority
    this.#log = log
    this.#failedSecrets = new Rates(FAILED_SECRET_RATE, clock)
    this.#repeats = new RepeatGuard(clock)
  }

  /** What can be said before the body is read; refusals above all. */
  route(request: EstRequest): Routed {
    try {
      const routed = this.#find(request)
      if (request.method === 'GET' && routed.kind === 'answer' && routed.answer.status < 400) this.#noteRoots(request)
      return routed
    } catch (error) {
      return answered(this.#unable(request, error))
    }
  }

  #find(request: EstRequest): Routed {
    const { path } = request
    const get = (answer: () => Answer): Routed => answered(request.method === 'GET' ? answer() : wrongMethod(request, 'GET'))
    if (path === `${EST}cacerts`) {
      return get(() => base64('application/pkcs7-mime; smime-type=certs-only', certsOnly(this.#authority.bundle())))
    }
    if (path === `${EST}csrattrs`) return get(() => base64('application/csrattrs', CSR_ATTRIBUTES))
    if (path === `${EST}simpleenroll`) return this.#posted(request, () => this.#enrol(request))
    if (path === `${EST}simplereenroll`) return this.#posted(request, () => this.#renew(request))
    if (path === '/crl.pem') return get(() => this.#listsAsPem(request))
    const numbered = /^\/crl(?:\/([1-9]\d{0,8}))?$/.exec(path)
    if (numbered !== null) return get(() => this.#list(request, numbered[1]))
    const known = `${EST}cacerts, csrattrs, simpleenroll and simplereenroll, /crl, /crl/N and /crl.pem`
    return answered(refusal(404, 'There is nothing at this path', `Ask for ${known}`))
  }

  #posted(request: EstRequest, authenticate: () => Routed): Routed {
    if (request.method !== 'POST') return answered(wrongMethod(request, 'POST'))
    const type = request.headers['content-type']?.replace(/;.*$/s, '').trim().toLowerCase()
    if (type === 'application/pkcs10') return authenticate()
    const found = type === undefined ? 'The request has no content type' : 'The request has another content type'
    return answered(refusal(415, `${found}, application/pkcs10 is needed`, 'Send the header "Content-Type: application/pkcs10"'))
  }

  #enrol(request: EstRequest): Routed {
    const waitSeconds = this.#failedSecrets.waitSeconds(request.address)
    if (waitSeconds > 0) {
      this.#tellRefused(request, undefined, 'too many wrong secrets from this address')
      const remedy = `Wait ${waitSeconds} s, then try again with a token that "loghop pki invite" has printed`
      return answered(refusal(429, 'Too many wrong secrets came from this address', remedy, { retryAfter: waitSeconds }))
    }
    const credentials = readBasic(request.headers['authorization'])
    if (credentials === undefined) {
      const remedy = 'Send HTTP Basic authentication, the name and the secret of an invitation ("loghop pki invite")'
      return answered(unauthorised('Enrolment needs a name and a secret', remedy))
    }
    const act = (csr: Buffer) => this.#authority.enrol({ ...credentials, csr, from: request.from })
    return { kind: 'needs-body', act: (body) => this.#issue(request, credentials.name, body, act) }
  }

  #renew(request: EstRequest): Routed {
    const { certificate } = request
    if (certificate === undefined) {
      const remedy = 'Present the certificate that is to be renewed in the TLS handshake, or enrol with an invitation'
      return answered(refusal(403, 'Renewal needs a client certificate, the connection has none', remedy))
    }
    const act = (csr: Buffer) => this.#authority.renew({ certificate, csr, from: request.from })
    return { kind: 'needs-body', act: (body) => this.#issue(request, undefined, body, act) }
  }

  async #issue(request: EstRequest, name: string | undefined, body: string, act: (csr: Buffer) => Promise<EnrolAnswer>): Promise<Answer> {
    const csr = decodeBody(body)
    if (csr === undefined) {
      const found = body.includes('-----BEGIN') ? 'The body is PEM' : body.trim() === '' ? 'The body is empty' : 'The body is not base64'
      return refusal(400, `${found}, a certificate request in base64 is needed`, GIVE_CSR)
    }
    if (this.#acts >= EST_LIMITS.waitingActs) {
      return refusal(503, 'The authority is busy', 'Try again in a few seconds', { retryAfter: 5 })
    }
    this.#acts++
    try {
      return this.#told(request, name, await act(csr))
    } catch (error) {
      return this.#unable(request, error)
    } finally {
      this.#acts--
    }
  }

  #told(request: EstRequest, name: string | undefined, answer: EnrolAnswer): Answer {
    const isRenewal = name === undefined
    if (answer.kind === 'refused') {
      if (answer.status === 401) this.#failedSecrets.take(request.address)
      this.#tellRefused(request, name, answer.sentence)
      const { status, sentence, remedy } = answer
      const retry = answer.retryAfterSeconds === undefined ? {} : { retryAfter: answer.retryAfterSeconds }
      return status === 401 ? unauthorised(sentence, remedy) : refusal(status, sentence, remedy, retry)
    }
    const text = isRenewal ? `Renewed the certificate of ${answer.name}` : `Issued a certificate for ${answer.name}`
    const serial = new X509Certificate(answer.chain[0]!).serialNumber
    this.#log.info(isRenewal ? 'renewed' : 'enrolled', text, { from: request.from, serial })
    this.#noteRoots(request)
    return base64('application/pkcs7-mime; smime-type=certs-only', certsOnly(answer.chain))
  }

  #listsAsPem(request: EstRequest): Answer {
    const text = this.#authority
      .revocationLists()
      .map(({ der }) => listPem(der))
      .join('')
    return cached('application/x-pem-file', Buffer.from(text), request.headers['if-none-match'])
  }

  #list(request: EstRequest, issuer: string | undefined): Answer {
    const lists = this.#authority.revocationLists()
    const list = issuer === undefined ? lists[0] : lists.find((one) => one.issuer === Number(issuer))
    if (list === undefined)
      return refusal(404, 'There is no revocation list of that issuer', 'Ask for /crl, or for /crl.pem, which holds all')
    return cached('application/pkix-crl', list.der, request.headers['if-none-match'])
  }

  #noteRoots(request: EstRequest): void {
    const header = request.headers['loghop-roots']
    if (request.certificate === undefined || header === undefined || !ROOTS_HEADER.test(header)) return
    const roots = header.toLowerCase().split(/, ?/)
    try {
      this.#authority.seen(request.certificate, roots, request.from)
    } catch (error) {
      // The peer gets its answer all the same: it is only our knowledge that is late.
      this.#log.error('authority-failed', `Cannot keep what a host trusts: ${explain(error)}`, { from: request.from })
    }
  }

  #unable(request: EstRequest, error: unknown): Answer {
    this.#log.error('authority-failed', `Cannot answer ${request.path}: ${explain(error)}`, { from: request.from })
    const remedy = 'Look into the log of "loghop pki serve" there, and try again'
    return refusal(503, 'The authority cannot act at the moment', remedy, { retryAfter: 60 })
  }

  #tellRefused(request: EstRequest, name: string | undefined, reason: string): void {
    const held = this.#repeats.repeated(`${request.address} ${reason}`)
    if (held === undefined) return
    const fields = { from: request.from, name, ...(held > 0 ? { repeated: held } : {}) }
    this.#log.warn(request.path.endsWith('reenroll') ? 'renewal-refused' : 'enrolment-refused', reason, fields)
  }
}

function wrongMethod(request: EstRequest, needed: 'GET' | 'POST'): Answer {
  const sentence = `This path takes ${needed}, not ${request.method}`
  return refusal(405, sentence, `Send the request with ${needed}`, { headers: { Allow: needed } })
}
