// Local datagram sockets that the service manager has opened and passed on: it keeps them, so what programs send while we are not running waits there.

import { ActivatedSockets } from '../platform/activated-sockets.ts'
import { boundPath } from '../platform/bound-path.ts'
import { closeDescriptor } from '../platform/descriptors.ts'
import { leadsTo } from './journal/double-feed.ts'

export class PassedDatagrams {
  readonly #byPlace = new Map<string, number>()
  readonly #others: Array<{ readonly name: string; readonly fd: number }> = []

  constructor(activated: ActivatedSockets) {
    for (const name of activated.left) {
      for (const fd of activated.take(name)) {
        const path = boundPath(fd)
        if (path === undefined) this.#others.push({ name, fd })
        else this.#byPlace.set(leadsTo(path), fd)
      }
    }
  }

  /** Those of this process. */
  static ofProcess(): PassedDatagrams {
    return new PassedDatagrams(new ActivatedSockets(process.env, process.pid))
  }

  /** Whether the socket at that path, or where it leads, was passed and has not been taken. */
  has(path: string): boolean {
    return this.#byPlace.has(leadsTo(path))
  }

  /** The descriptor of the socket at that path, once. */
  take(path: string): number | undefined {
    const place = leadsTo(path)
    const fd = this.#byPlace.get(place)
    this.#byPlace.delete(place)
    return fd
  }

  /** Descriptors that were passed under that name and have no path, such as those of TCP and UDP, once. */
  takeNamed(name: string): number[] {
    const fds: number[] = []
    for (let at = this.#others.length - 1; at >= 0; at--)
      if (this.#others[at]!.name === name) fds.unshift(this.#others.splice(at, 1)[0]!.fd)
    return fds
  }

  /** Closes what nobody has taken. @returns what that was */
  closeRest(): string[] {
    const rest = [...[...this.#byPlace].map(([name, fd]) => ({ name, fd })), ...this.#others]
    for (const { fd } of rest) closeDescriptor(fd)
    this.#byPlace.clear()
    this.#others.length = 0
    return rest.map(({ name }) => name)
  }
}
