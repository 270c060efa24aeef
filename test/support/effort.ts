/** How much of a loop is run: a share of it with `npm test`, more in CI (LOGHOP_CI), all of it in the long runs (LOGHOP_LONG). */
export function effort(amount: { readonly quick: number; readonly ci: number; readonly long: number }): number {
  if (process.env['LOGHOP_LONG'] === '1') return amount.long
  return process.env['LOGHOP_CI'] === '1' ? amount.ci : amount.quick
}
