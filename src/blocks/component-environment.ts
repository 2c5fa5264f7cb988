/** @returns whether an environment variable may be a secret of Dapr's own, which no component and no app is handed (reference §4.1) */
export function isReserved(name: string): boolean {
  const upper = name.toUpperCase();
  return upper === 'APP_API_TOKEN' || upper.startsWith('DAPR_') || upper.startsWith('WEFT_') || name.includes(' ');
}
