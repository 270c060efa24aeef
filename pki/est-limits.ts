import type { Rate } from './est-rate.ts'

/** What one peer, and all together, may ask of the enrolment server. A site relay passes the TLS of all its hosts through: one address can be a whole site. */
export const EST_LIMITS = {
  /** Request line and headers. */
  headerBytes: 8 << 10,
  /** A CSR with an RSA 4096 key and a hundred names has 6 KiB in base64. */
  bodyBytes: 16 << 10,
  handshakeMs: 10_000,
  headersMs: 10_000,
  bodyMs: 10_000,
  /** How long a connection may stand without a request. */
  idleMs: 5000,
  /** How long nothing may move on a connection while an answer is on its way. */
  stalledMs: 30_000,
  requestsPerConnection: 100,
  connections: 1024,
  connectionsPerAddress: 256,
  /** Acts at the authority at once; each waits for the disk. */
  waitingActs: 64,
} as const

/** Requests of any kind, from one address. */
export const REQUEST_RATE: Rate = { perSecond: 50, burst: 200 }
/** Wrong secrets from one address; renewals are not touched. */
export const FAILED_SECRET_RATE: Rate = { perSecond: 0.5, burst: 30 }
