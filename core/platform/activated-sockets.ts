// Sockets that systemd has opened and passed on: sd_listen_fds(3). LISTEN_PID is ours, LISTEN_FDS of them from descriptor 3 on, LISTEN_FDNAMES their
// names, with colons between them.

const FIRST_FD = 3
const FDS_LIMIT = 1024

/** What was passed, by name. Each descriptor is given out once, and the variables are gone, so that no program started from here takes them for its own. */
export class ActivatedSockets {
  readonly #byName = new Map<string, number[]>()

  constructor(environment: Record<string, string | undefined>, pid: number) {
    const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment
    for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name]
    if (Number(LISTEN_PID) !== pid || !/^\d{1,4}$/.test(LISTEN_FDS ?? '')) return
    const names = (LISTEN_FDNAMES ?? '').split(':')
    for (let index = 0; index < Math.min(Number(LISTEN_FDS), FDS_LIMIT); index++) {
      const name = names[index] || 'unknown'
      this.#byName.set(name, [...(this.#byName.get(name) ?? []), FIRST_FD + index])
    }
  }

  /** The descriptors of that name that have not been taken yet. */
  take(name: string): readonly number[] {
    const fds = this.#byName.get(name) ?? []
    this.#byName.delete(name)
    return fds
  }

  /** Names of what nobody has taken. */
  get left(): readonly string[] {
    return [...this.#byName.keys()]
  }
}
