// What a reload does in two steps, so that a configuration is taken over whole or not at all: first everything that can fail, then the change.

export interface Prepared<Done> {
  /** Changes over; cannot fail. Nothing after `abort`. */
  commit(): Done
  /** Takes back what was opened for it; nothing after `commit`. */
  abort(): void
}

/** @param change `commit` and `undo` run at most once, and only one of them; `isOver` what it would change is stopped already: then there is nothing to change */
export function prepared<Done>(change: { commit(): Done; undo(): void; isOver(): boolean; readonly nothing: Done }): Prepared<Done> {
  let isSettled = false
  const undo = (): void => {
    isSettled = true
    change.undo()
  }
  return {
    commit: () => {
      if (!isSettled && change.isOver()) undo()
      if (isSettled) return change.nothing
      isSettled = true
      return change.commit()
    },
    abort: () => {
      if (!isSettled) undo()
    },
  }
}

/** Tells places that are written alike apart, such as ports that the system chooses: the first of a configuration stays the first of the next. */
export class PlaceKeys {
  readonly #counts = new Map<string, number>()

  next(place: string): string {
    const count = (this.#counts.get(place) ?? 0) + 1
    this.#counts.set(place, count)
    return count === 1 ? place : `${place} (${count})`
  }
}
