import { RelpClientSession } from '../transport/relp-client.ts'
import { connectTls, type RelayAddress } from '../transport/tls-connector.ts'
import type { TlsIdentity } from '../transport/tls-policy.ts'

/** The preferred relay has to answer this often in a row before anyone goes back to it. */
const ANSWERS_WANTED = 2
const ANSWER_LIMIT_MS = 10_000

/**
 * Looks from time to time whether the preferred relay is up again, and calls `onUp` when it has been for a while. The times are spread at random, so that
 * a site's agents do not all come back in one second.
 */
export class Failback {
  readonly #preferred: RelayAddress
  readonly #identity: () => TlsIdentity
  readonly #everyMs: number
  readonly #onUp: () => void
  readonly #speaksRelp: boolean
  #timer: NodeJS.Timeout | undefined
  #giveUp: (() => void) | undefined
  #answers = 0

  /** @param everyMs shortest time between two looks; the longest is twice as much. @param speaksRelp whether an opened session can be asked for, or a handshake has to do */
  constructor(preferred: RelayAddress, identity: () => TlsIdentity, everyMs: number, onUp: () => void, speaksRelp = true) {
    this.#preferred = preferred
    this.#identity = identity
    this.#everyMs = everyMs
    this.#onUp = onUp
    this.#speaksRelp = speaksRelp
    this.#schedule()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#giveUp?.()
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#look(), this.#everyMs * (1 + Math.random()))
    this.#timer.unref()
  }

  #answered(): void {
    if (this.#timer === undefined) return
    this.#answers++
    if (this.#answers >= ANSWERS_WANTED) this.#onUp()
    else this.#schedule()
  }

  #look(): void {
    const missed = (): void => {
      this.#answers = 0
      if (this.#timer !== undefined) this.#schedule()
    }
    this.#giveUp = connectTls(this.#preferred, this.#identity(), {
      onConnected: (socket) => {
        if (!this.#speaksRelp) {
          socket.destroy()
          this.#answered()
          return
        }
        // A relay that refuses us lets the handshake pass: only one that opens a session is up.
        let isUp = false
        const session = new RelpClientSession(socket, new Map(), {
          onReady: () => {
            isUp = true
            session.destroy('seen')
          },
          onAcknowledged: () => undefined,
          onClosed: () => {
            clearTimeout(deadline)
            if (!isUp) missed()
            else this.#answered()
          },
        })
        const deadline = setTimeout(() => session.destroy('no answer'), ANSWER_LIMIT_MS)
      },
      onRefused: missed,
      onFailed: missed,
    })
  }
}
