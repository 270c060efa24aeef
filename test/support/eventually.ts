const POLL_MS = 10

/** Generous: a loaded machine with two cores must pass, and a sender may pause for 30 s between two attempts. */
export const LIMIT_MS = 120_000

/**
 * Waits until the probe gives something: for what no event tells of, such as a file that grows.
 * @throws with what was waited for, and what there was instead
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  found: () => string = () => '',
  limitMs = LIMIT_MS,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error(`Waited ${limitMs / 1000} s in vain for ${what}. ${found()}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
