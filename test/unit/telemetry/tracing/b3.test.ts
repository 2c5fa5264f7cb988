import { describe, expect, it } from 'vitest';
import { binaryTraceparent, httpTrace, traceparentBytes } from '../../../../src/telemetry/tracing/context.js';

const ID = '1'.repeat(32);
const SPAN = '2'.repeat(16);
const W3C = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

describe('B3', () => {
  it.each([
    [{ b3: `${ID}-${SPAN}-1` }, `00-${ID}-${SPAN}-01`],
    [{ b3: `${ID}-${SPAN}-d-${'3'.repeat(16)}` }, `00-${ID}-${SPAN}-01`],
    [{ b3: `${ID}-${SPAN}-0` }, `00-${ID}-${SPAN}-00`],
    [{ b3: `${ID}-${SPAN}` }, `00-${ID}-${SPAN}-00`],
    [{ b3: `${SPAN}-${SPAN}-1` }, `00-${'0'.repeat(16)}${SPAN}-${SPAN}-01`],
    [{ 'x-b3-traceid': ID, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' }, `00-${ID}-${SPAN}-01`],
    [{ 'x-b3-traceid': ID, 'x-b3-spanid': SPAN, 'x-b3-sampled': 'true' }, `00-${ID}-${SPAN}-01`],
    [{ 'x-b3-traceid': ID, 'x-b3-spanid': SPAN, 'x-b3-flags': '1' }, `00-${ID}-${SPAN}-01`],
    [{ 'x-b3-traceid': ID, 'x-b3-spanid': SPAN }, `00-${ID}-${SPAN}-00`],
    [{ traceparent: W3C, b3: `${ID}-${SPAN}-1` }, W3C],
    [{ b3: '0' }, undefined],
    [{ b3: `${ID}-${SPAN}-1x` }, undefined],
    [{ 'x-b3-traceid': ID }, undefined],
    [{ b3: `${'0'.repeat(32)}-${SPAN}-1` }, undefined],
  ])('%j is the trace %s', (headers, traceparent) => expect(httpTrace(headers).traceparent).toBe(traceparent));
});

it('a traceparent is the same after its way through bytes', () => {
  expect(binaryTraceparent(traceparentBytes(W3C))).toBe(W3C);
});
