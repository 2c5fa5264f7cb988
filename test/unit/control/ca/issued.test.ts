import { expect, it } from 'vitest';
import { createIssuedCertificates } from '../../../../src/control/ca/issued.js';

const certificate = (instanceId: string, serial: string, notAfterMs: number) => ({
  instanceId,
  id: `spiffe://weft.test/ns/default/${instanceId}`,
  serial,
  notBeforeMs: 0,
  notAfterMs,
});

it('shows the newest living certificate of each instance', () => {
  let now = 0;
  const issued = createIssuedCertificates(() => now);
  issued.note(certificate('b', 'b1', 100));
  issued.note(certificate('a', 'a1', 50));
  issued.note(certificate('a', 'a2', 80));
  // What an old connection still shows.
  issued.note(certificate('a', 'a1', 50));
  expect(issued.all().map(({ serial }) => serial)).toEqual(['A2', 'B1']);
  now = 80;
  expect(issued.all().map(({ serial }) => serial)).toEqual(['B1']);
});
