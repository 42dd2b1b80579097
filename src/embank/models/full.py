"""An encoder that is trained as a whole, from token numbers, with an output layer: full fine-tuning."""

import torch

from embank.encoders.architectures import ANATOMY
from embank.encoders.pooling import pool as pooled
from embank.encoders.torch import TransformerEncoder
from embank.labels.kinds import POOLED
from embank.models.output_layer import output_layer
from embank.models.shortened import Shortened
from embank.models.tail_settings import TailDesign


class EncoderWithHead(torch.nn.Module):
    """All layers of an encoder and an output layer; everything is trained."""

    def __init__(self, encoder: TransformerEncoder | Shortened, design: TailDesign, seed: int) -> None:
        """Train a loaded encoder that nobody else uses.

        Args:
            encoder: in float32.
            design: kind, outputs, pooling and dropout; its cut and method are of no account here.
            seed: of the output layer's first weights.
        """
        super().__init__()
        self.model, self.design = encoder.model, design
        family = encoder.folder.family
        self._causal = family in ANATOMY and ANATOMY[family].causal
        self.dropout = torch.nn.Dropout(design.options.dropout)
        self.output = output_layer(encoder.width, design.outputs, torch.Generator().manual_seed(seed))
        self.output.to(next(self.model.parameters()).device)

    def forward(self, pool: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Run all layers.

        Args:
            pool: `[batch, length]`, 1 where pooling looks.
            inputs: `input_ids`, `attention_mask`, and `token_type_ids` where the encoder has them.

        Returns:
            `[batch, outputs]`, or `[batch, length, outputs]` of kinds that read tokens.
        """
        extra = {"use_cache": False} if self._causal else {}
        return self.read(self.model(**inputs, **extra).last_hidden_state, pool)

    def read(self, states: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """Outputs of the encoder's last states, `[batch, length, width]`; see `forward`."""
        if self.design.kind in POOLED:
            states = pooled(states, pool, self.design.options.pooling)
        logits: torch.Tensor = self.output(self.dropout(states))
        return logits

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Every parameter that bears on the output."""
        return {name: parameter for name, parameter in self.named_parameters() if "pooler" not in name}
