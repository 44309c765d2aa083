/** A secret that is shown once: to copy, and for a key as a code that another phone scans. It lives in this component only. */
import { c } from '../common/text';
import { Banner, Button, CodeCard, Sheet, toast } from '../kit';
import { Qr } from '../lib/codes';
import { t } from './text';

export function Secret({ secret, title, note, qr, onClose }: { secret: string; title: string; note: string; qr?: boolean; onClose: () => void }) {
  return (
    <Sheet open onClose={onClose} title={title} closeLabel={c('close')}>
      <Banner tone="warn" role="note" title={t('secret.once')}>
        {note}
      </Banner>
      {qr && (
        <CodeCard title={t('secret.pair')}>
          <Qr text={secret} label={t('secret.qr')} />
        </CodeCard>
      )}
      <output class="till-secret k-mono">{secret}</output>
      <Button
        block
        icon="paste"
        onClick={() => {
          navigator.clipboard.writeText(secret).then(
            () => toast(c('copied'), 'ok'),
            () => toast(t('secret.copy.failed'), 'warn'),
          );
        }}
      >
        {c('copy')}
      </Button>
      <Button kind="primary" block onClick={onClose}>
        {t('secret.kept')}
      </Button>
    </Sheet>
  );
}
