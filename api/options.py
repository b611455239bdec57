"""What a user asks of `certify`, and the procedure that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown
from smoothcert.engine.statistics.bounds import family_wise_alpha
from smoothcert.engine.statistics.class_bounds import OneSided
from smoothcert.engine.statistics.procedures import FixedCertify, Procedure
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.transfer import TransferCertify

_DEFAULT_N0, _DEFAULT_PILOT = 100, 500


@dataclass(frozen=True)
class CertifyOptions:
    """What a user asks of `certify`.

    radii set: table mode. tolerance or samples_price set: radius mode. Neither: fixed n, as in
    the original paper. family_wise: alpha is for so many images together, not for each (and
    alpha_zeta too); a run of more is refused. n_zeta set: so many paired samples transfer each
    certificate to a reference, at a further alpha_zeta (alpha, where that is None). bound: of the
    class that certificates are about, "one-sided" or "two-class" (class_bounds.py). budgeted: of
    table mode, images may be left undecided.
    """

    sigma: float
    n0: int | None = None
    n: int = 100_000
    alpha: float = 0.001
    radii: tuple[float, ...] | None = None
    setting: str | None = None
    tolerance: float | None = None
    samples_price: float | None = None
    label_aware: bool = False
    family_wise: int | None = None
    n_zeta: int | None = None
    alpha_zeta: float | None = None
    bound: str = OneSided.NAME
    budgeted: bool = False

    def procedure(self, total_variation: float) -> Procedure:
        """The procedure; raises InputError for options that exclude each other or cannot go."""
        procedure = self._own_procedure(total_variation)
        if self.n_zeta is None:
            return procedure
        alpha_zeta = self.alpha if self.alpha_zeta is None else self.alpha_zeta
        if self.family_wise is not None:
            alpha_zeta = family_wise_alpha(alpha_zeta, self.family_wise)
        return TransferCertify(procedure, self.sigma, self.n_zeta, alpha_zeta, total_variation)

    def _own_procedure(self, total_variation: float) -> Procedure:
        alpha = self.alpha
        if self.family_wise is not None:
            alpha = family_wise_alpha(alpha, self.family_wise)
        by_radius = self.tolerance is not None or self.samples_price is not None
        if self.radii is not None and by_radius:
            raise InputError(
                f"radii {self.radii} and tolerance or samples price exclude each other: expected "
                "table mode (--radii) or radius mode"
            )
        if self.setting is not None and self.radii is None:
            raise InputError(f"setting {self.setting} is of table mode only: give --radii too")
        if self.label_aware and self.radii is None and not by_radius:
            raise InputError(
                "label-aware has no use with a fixed n: give --radii or --tolerance too"
            )
        if self.radii is not None:
            if self.bound != OneSided.NAME:
                raise InputError(
                    f"bound {shown(self.bound)} is not of table mode: expected one-sided, for "
                    "which its boundaries are made; leave --bound out, or --radii"
                )
            if self.n0 is not None:
                raise InputError(
                    f"n0 {self.n0} has no use in table mode, which needs no selection samples: "
                    "leave --n0 out"
                )
            return TableCertify(
                self.sigma,
                self.radii,
                self.n,
                alpha,
                self.setting or "strict",
                label_aware=self.label_aware,
                total_variation=total_variation,
                budgeted=self.budgeted,
            )
        if self.budgeted:
            raise InputError(
                "a budget decides as much of a table as it can: expected --radii with it; add the "
                "radii of the table, such as --radii 0,0.25,0.5"
            )
        if by_radius:
            return RadiusCertify(
                self.sigma,
                self.n,
                alpha,
                self.tolerance,
                self.samples_price,
                _DEFAULT_PILOT if self.n0 is None else self.n0,
                label_aware=self.label_aware,
                total_variation=total_variation,
                bound=self.bound,
            )
        n0 = _DEFAULT_N0 if self.n0 is None else self.n0
        return FixedCertify(self.sigma, n0, self.n, alpha, total_variation, self.bound)


def modes_of(
    given: Mapping[str, Any], sigma: float, total_variation: float
) -> dict[str, Procedure]:
    """The modes that a run with these numbers (of CertifyOptions) may take, by the options that
    choose them. Where no radii are given, those of a table are multiples of sigma / 2, up to what n
    samples can certify; a tolerance that is not given is .01."""
    shared = {name: given[name] for name in ("n", "alpha", "family_wise") if name in given}
    radii = given.get("radii") or _usual_radii(sigma, CertifyOptions(sigma, **shared))
    said = ",".join(f"{radius:g}" for radius in radii)
    rule = "samples_price" if given.get("samples_price") is not None else "tolerance"
    price = given.get(rule) or 0.01
    asked: dict[str, dict[str, Any]] = {
        f"--n {given['n']}": {"n0": given.get("n0")},
        f"--radii {said}": {"radii": radii},
        f"--radii {said} --label-aware": {"radii": radii, "label_aware": True},
        f"--radii {said} --setting fast": {"radii": radii, "setting": "fast"},
        f"--{rule.replace('_', '-')} {price:g}": {rule: price},
    }
    return {
        options: CertifyOptions(sigma, **shared, **settings).procedure(total_variation)
        for options, settings in asked.items()
    }


def _usual_radii(sigma: float, options: CertifyOptions) -> tuple[float, ...]:
    procedure = options.procedure(0.0)
    largest = procedure.radius_of(options.n, options.n)
    return tuple(sigma / 2 * i for i in range(min(7, 1 + int(2 * largest / sigma))))
