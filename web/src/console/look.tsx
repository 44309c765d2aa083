/** Looking somebody up: why comes first, because each look is written down. */
import { useState } from 'preact/hooks';
import { Banner, Button, Card, Stack, TextField } from '../kit';
import { useAct } from '../lib/load';
import { ReasonField, Refused, isReason } from './parts';
import { t } from './text';

export interface Looked<I> {
  items: I[];
  q: string;
  reason: string;
}

/** What was found; nothing before the first look. */
export function LookUp<I>({ q: given, label, hint, find, onFound }: { q: string; label: string; hint: string; find: (q: string, reason: string) => Promise<{ items: I[] }>; onFound: (found: Looked<I>) => void }) {
  const [reason, setReason] = useState('');
  const [q, setQ] = useState(given);
  const [tried, setTried] = useState(false);
  const looking = useAct(async () => {
    const [what, why] = [q.trim(), reason.trim()];
    onFound({ items: (await find(what, why)).items, q: what, reason: why });
  });
  const missing = q.trim() === '';
  return (
    <Card>
      <form
        role="search"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setTried(true);
          if (isReason(reason) && !missing) looking.run();
        }}
      >
        <Stack>
          <Banner>{t('look.note')}</Banner>
          <ReasonField value={reason} onInput={setReason} error={tried && !isReason(reason)} />
          <TextField label={label} hint={hint} error={tried && missing ? t('look.missing') : undefined} required name="q" value={q} onInput={setQ} />
          <Refused failure={looking.failure} />
          <Button kind="primary" type="submit" icon="search" busy={looking.busy}>
            {t('look.do')}
          </Button>
        </Stack>
      </form>
    </Card>
  );
}
