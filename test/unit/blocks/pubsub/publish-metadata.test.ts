import { describe, expect, it } from 'vitest';
import { readPublishMetadata, travellingMetadata } from '../../../../src/blocks/pubsub/publish-metadata.js';

describe('metadata of a publish request', () => {
  it.each([
    [{ ttlInSeconds: '90' }, 90_000],
    [{ TTLINSECONDS: '1' }, 1_000],
    [{ ttl: '1m30s' }, 90_000],
    [{ ttl: '5' }, 5_000],
    [{ ttl: '5', ttlInSeconds: '7' }, 7_000],
    [{ ttlInSeconds: '7', ttl: '5' }, 7_000],
    [{}, undefined],
  ])('reads the time to live of %j', (metadata, ms) =>
    expect(readPublishMetadata(metadata as Record<string, string>).ttlMs).toBe(ms),
  );

  it.each(['0', '-5', 'soon', '', '1e9', '99999999999999999999'])('refuses the time to live %j', (ttlInSeconds) => {
    expect(() => readPublishMetadata({ ttlInSeconds })).toThrow(/ttlInSeconds must be a positive number/);
  });

  it('reads rawPayload by Dapr’s truthy words, whatever the case of the name', () => {
    expect(['true', 'YES', '1', 'on'].map((rawPayload) => readPublishMetadata({ rawPayload }).rawPayload)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['false', '', '0', 'maybe'].map((RawPayload) => readPublishMetadata({ RawPayload }).rawPayload)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('reads overrides of the envelope, whatever their case', () => {
    expect(readPublishMetadata({ 'CloudEvent.Type': 'a', 'cloudevent.id': '7' }).overrides).toEqual({ type: 'a', id: '7' });
  });

  it('lets only what is the component’s travel on', () => {
    const all = { ttlInSeconds: '1', ttl: '1', rawPayload: 'true', 'cloudevent.id': '1', partitionKey: 'k' };
    expect(travellingMetadata(all)).toEqual({ partitionKey: 'k' });
  });
});
