/** One state field with one transition table: an illegal step is a bug and throws. */
export class StateMachine<State extends string> {
  #current: State
  readonly #next: Readonly<Record<State, readonly State[]>>
  readonly #name: string

  constructor(name: string, next: Readonly<Record<State, readonly State[]>>, initial: State) {
    this.#name = name
    this.#next = next
    this.#current = initial
  }

  get current(): State {
    return this.#current
  }

  is(...states: readonly State[]): boolean {
    return states.includes(this.#current)
  }

  /** @throws {Error} the table has no such step; the state is unchanged */
  to(state: State): void {
    if (!this.#next[this.#current].includes(state)) throw new Error(`Cannot move ${this.#name} from ${this.#current} to ${state}`)
    this.#current = state
  }
}
