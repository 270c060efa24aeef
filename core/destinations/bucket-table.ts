// Buckets by host and program, as of the last record that is settled and as of the last that was looked at. Buckets that are changed are copied first, so going
// back is to forget the copies.

export interface Bucket {
  readonly host: string
  readonly program: string
  tokens: number
  /** Microseconds since 1970 UTC, as all times here. */
  atUs: number
  /** Messages that found no token since the bucket was made: what sampling counts. */
  over: number
  /** Messages that were left out and not told yet; from when to when, and the facility of the last. */
  suppressed: number
  firstUs: number
  lastUs: number
  facility: number
}

const KEYS_LIMIT = 1024
const HOST_KEYS_LIMIT = 64
/** In the place of a program, or of a host, where there are too many. */
export const OTHERS = '*'

const NUMBERS = ['tokens', 'atUs', 'over', 'suppressed', 'firstUs', 'lastUs', 'facility'] as const

export class BucketTable {
  static readonly KEYS_LIMIT = KEYS_LIMIT
  readonly #isIdle: (bucket: Bucket, nowUs: number) => boolean
  #settled = new Map<string, Bucket>()
  #table = new Map<string, Bucket>()
  #perHost = new Map<string, number>()
  /** What each record that is not settled has changed; undefined where a bucket was forgotten. */
  #changes: Array<Map<string, Bucket | undefined>> = []
  #touched = new Map<string, Bucket | undefined>()
  #nowUs = 0
  #isSwept = false

  /** @param isIdle whether a bucket may be forgotten */
  constructor(saved: unknown, isIdle: (bucket: Bucket, nowUs: number) => boolean) {
    this.#isIdle = isIdle
    for (const bucket of bucketsOf(saved)) this.#settled.set(keyOf(bucket.host, bucket.program), bucket)
    this.rewind()
  }

  get size(): number {
    return this.#table.size
  }

  /** Those with something to tell. */
  get suppressing(): Bucket[] {
    const found: Bucket[] = []
    for (const bucket of this.#table.values()) if (bucket.suppressed > 0) found.push(bucket)
    return found
  }

  /** A record begins. */
  begin(nowUs: number): void {
    this.#nowUs = nowUs
    this.#isSwept = false
    this.#touched = new Map()
  }

  end(): void {
    this.#changes.push(this.#touched)
  }

  /** The bucket, to be changed until the record ends; a new one is full. Where there are too many, one that is shared. */
  open(host: string, program: string, burst: number): Bucket {
    let key = keyOf(host, program)
    let known = this.#table.get(key)
    if (known === undefined && !this.#hasRoom(host)) {
      const isHostFull = (this.#perHost.get(host) ?? 0) >= HOST_KEYS_LIMIT - 1
      const shared = isHostFull && this.#table.size < KEYS_LIMIT - 1 ? host : OTHERS
      key = keyOf(shared, OTHERS)
      known = this.#table.get(key) ?? this.#table.get(keyOf(OTHERS, OTHERS))
      if (known === undefined) return this.#put(key, newBucket(shared, OTHERS, burst, this.#nowUs))
      key = keyOf(known.host, known.program)
    }
    if (known === undefined) return this.#put(key, newBucket(host, program, burst, this.#nowUs))
    if (this.#touched.get(key) === known) return known
    const copy = { ...known }
    this.#touched.set(key, copy)
    this.#table.set(key, copy)
    return copy
  }

  settle(records: number): void {
    for (const changes of this.#changes.splice(0, records)) {
      for (const [key, bucket] of changes) {
        if (bucket === undefined) this.#settled.delete(key)
        else this.#settled.set(key, bucket)
      }
    }
  }

  rewind(): void {
    this.#changes = []
    this.#touched = new Map()
    this.#table = new Map(this.#settled)
    this.#perHost = new Map()
    for (const { host } of this.#table.values()) this.#perHost.set(host, (this.#perHost.get(host) ?? 0) + 1)
  }

  saved(): unknown {
    return [...this.#settled.values()]
  }

  #put(key: string, bucket: Bucket): Bucket {
    this.#touched.set(key, bucket)
    this.#table.set(key, bucket)
    this.#perHost.set(bucket.host, (this.#perHost.get(bucket.host) ?? 0) + 1)
    return bucket
  }

  /** One place of the host's, and one of all, stays free for the bucket that the others share. */
  #hasRoom(host: string): boolean {
    const isFull = (): boolean => this.#table.size >= KEYS_LIMIT - 2 || (this.#perHost.get(host) ?? 0) >= HOST_KEYS_LIMIT - 1
    if (!isFull()) return true
    if (!this.#isSwept) this.#sweep()
    return !isFull()
  }

  /** At most once a record: a sender that makes up names must not have us look through all of them for each. */
  #sweep(): void {
    this.#isSwept = true
    for (const [key, bucket] of this.#table) {
      if (!this.#isIdle(bucket, this.#nowUs)) continue
      this.#table.delete(key)
      this.#touched.set(key, undefined)
      const left = this.#perHost.get(bucket.host)! - 1
      if (left === 0) this.#perHost.delete(bucket.host)
      else this.#perHost.set(bucket.host, left)
    }
  }
}

function keyOf(host: string, program: string): string {
  return `${host} ${program}`
}

function newBucket(host: string, program: string, burst: number, nowUs: number): Bucket {
  return { host, program, tokens: burst, atUs: nowUs, over: 0, suppressed: 0, firstUs: 0, lastUs: 0, facility: 0 }
}

/** From the cursor file; what is no bucket is left out. */
function bucketsOf(saved: unknown): Bucket[] {
  if (!Array.isArray(saved)) return []
  return saved.slice(0, KEYS_LIMIT).flatMap((one: Partial<Bucket> | null) => {
    const isBucket =
      typeof one?.host === 'string' &&
      typeof one.program === 'string' &&
      NUMBERS.every((name) => Number.isFinite(one[name]) && one[name]! >= 0)
    return isBucket ? [{ ...(one as Bucket) }] : []
  })
}
