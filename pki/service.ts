// What `pki serve` asks of the authority: the seam between HTTP and the decisions. Sense of each act: FORMAT.md.

/** Where a request came from, for the journal: address and port. */
export type RemoteAddress = string

export interface EnrolRequest {
  readonly name: string
  readonly secret: string
  /** PKCS#10, DER, as received; at most CSR_LIMIT_BYTES. */
  readonly csr: Buffer
  readonly from: RemoteAddress
}

export interface RenewRequest {
  /** DER of the certificate whose key the peer has proved in the TLS handshake; nothing else of it is proved. */
  readonly certificate: Buffer
  readonly csr: Buffer
  readonly from: RemoteAddress
}

export type EnrolAnswer =
  /** Chain in DER: leaf, issuer, then cross certificates. */
  | { readonly kind: 'issued'; readonly name: string; readonly chain: readonly Buffer[] }
  /** Nothing was issued. HTTP status, one sentence, one remedy; safe to show to the peer. */
  | {
      readonly kind: 'refused'
      readonly status: 400 | 401 | 403 | 429
      readonly sentence: string
      readonly remedy: string
      /** When asking again makes sense, with 429. */
      readonly retryAfterSeconds?: number | undefined
    }

export interface RevocationListFile {
  readonly issuer: number
  readonly der: Buffer
}

export interface AuthorityProblem {
  readonly sentence: string
  readonly remedy: string
}

/** An opened authority, as the server sees it. Each call is one act under the lock; its journal line is on disk before it returns. */
export interface AuthorityService {
  enrol(request: EnrolRequest): Promise<EnrolAnswer>
  renew(request: RenewRequest): Promise<EnrolAnswer>
  /**
   * A host with this certificate trusts these roots (SHA-256 of SPKI, hex). Unknown or revoked certificates are passed over.
   * Kept in the order of calls, perhaps after this returns; what keeps it from being kept is one of the authority's problems.
   */
  seen(certificate: Buffer, roots: readonly string[], from: RemoteAddress): void
  /** DER, in the order of `/cacerts`: roots newest first, issuers, cross certificates. */
  bundle(): readonly Buffer[]
  /** Newest issuer first. */
  revocationLists(): readonly RevocationListFile[]
  /** Makes every list anew when it is due (an hour old, or a revocation is not in it), and a new issuer when that is due and possible. */
  refreshRevocationLists(): Promise<void>
  /**
   * Identity directory of the server itself, its certificate renewed when a third of its life or less is left, or when `names` differ.
   * @param names host names and addresses under which it is dialled
   */
  serverIdentity(names: readonly string[]): Promise<string>
  /** Keeps the server's HOST:PORT for tokens and distribution points; like `seen`, for acts that are called later. */
  recordAddress(address: string): void
  /** What a person should mend, such as an issuer near its end. */
  problems(): readonly AuthorityProblem[]
}

/** Ours: a CSR with an RSA 4096 key and a hundred names has under 8 KiB. */
export const CSR_LIMIT_BYTES = 16 << 10
