// What one call on the hot path costs: the best of several rounds of this process's own CPU time, so that a busy machine tells nearly the same, and the bytes
// of heap that were not there before. Rounds: the first argument of the script.

const ROUNDS = Number(process.argv[2] ?? 7)

/**
 * Prints one line: nanoseconds of CPU and bytes of heap per message.
 * @param messages how many messages one call of `work` handles
 * @param work gives a number that depends on what was done, or the compiler may leave it out
 */
export function measure(name: string, messages: number, work: () => number): void {
  let best = Number.POSITIVE_INFINITY
  let heapBytes = 0
  let sum = 0
  for (let round = 0; round < ROUNDS; round++) {
    const heap = process.memoryUsage().heapUsed
    const before = process.cpuUsage()
    sum += work()
    const { user, system } = process.cpuUsage(before)
    heapBytes = (process.memoryUsage().heapUsed - heap) / messages
    best = Math.min(best, ((user + system) * 1000) / messages)
  }
  if (sum === 0) throw new Error(`${name}: nothing was done`)
  process.stdout.write(`${name.padEnd(44)} ${best.toFixed(0).padStart(5)} ns a message, ${heapBytes.toFixed(2)} B of heap\n`)
}
