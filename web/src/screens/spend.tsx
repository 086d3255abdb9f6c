import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Spend(_: ScreenProps) {
  return <PageHead title="Spend" />;
}
