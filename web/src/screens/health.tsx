import type { ScreenProps } from '../app/screens';
import { PageHead } from '../ui/layout';

export default function Health(_: ScreenProps) {
  return <PageHead title="Health" />;
}
