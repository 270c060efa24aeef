// Which messages were in the socket's queue, or on their way from it to the spool, when an agent was killed: no spool had taken them, so nobody promised them.

import type { Numbered } from './numbered.ts'

export interface QueueLosses {
  readonly count: number
  /** The most that one kill can be charged with. */
  readonly most: number
  /** Gaps that do not begin right behind what the agent's spool held at a kill: losses that nothing excuses. */
  readonly unexplained: readonly string[]
}

interface Gap {
  readonly from: number
  readonly to: number
}

function gapsOf(numbers: readonly number[], last: number): Gap[] {
  const gaps: Gap[] = []
  let next = 1
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (number > next) gaps.push({ from: next, to: number - 1 })
    next = Math.max(next, number + 1)
  }
  if (next <= last) gaps.push({ from: next, to: last })
  return gaps
}

/**
 * @param filed what has arrived
 * @param sent how many each sender has sent: s1, s2 ...
 * @param kills the highest number of each sender that the agent's spool had ever held, at each kill of the agent
 */
export function queueLosses(filed: Numbered, sent: readonly number[], kills: ReadonlyArray<ReadonlyMap<string, number>>): QueueLosses {
  const unexplained: string[] = []
  const byKill = new Map<string, number>()
  let count = 0
  for (const [index, last] of sent.entries()) {
    const sender = `s${index + 1}`
    for (const gap of gapsOf(filed.get(sender) ?? [], last)) {
      // Kills without a message stored between them share one gap.
      const causes = kills.filter((held) => (held.get(sender) ?? 0) === gap.from - 1)
      const size = gap.to - gap.from + 1
      if (causes.length === 0) unexplained.push(`${sender}: ${gap.from} to ${gap.to}`)
      else {
        const kill = String(kills.indexOf(causes[0]!))
        byKill.set(kill, (byKill.get(kill) ?? 0) + size / causes.length)
        count += size
      }
    }
  }
  return { count, most: Math.ceil(Math.max(0, ...byKill.values())), unexplained }
}

/** The highest number of each sender; what is in none of them stays as it was. */
export function highest(numbered: Numbered, before: ReadonlyMap<string, number>): Map<string, number> {
  const highs = new Map(before)
  for (const [sender, numbers] of numbered) highs.set(sender, Math.max(highs.get(sender) ?? 0, numbers.at(-1)!))
  return highs
}
