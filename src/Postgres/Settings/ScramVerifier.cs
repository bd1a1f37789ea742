using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres;

/// <summary>
/// What a server keeps of a password (RFC 5803, <c>pg_authid.rolpassword</c>): made by us, so that the password itself is in no
/// statement and no log. Passwords are printable ASCII, for which the preparation of RFC 4013 changes nothing. Pure but for the salt.
/// </summary>
internal static class ScramVerifier
{
    private const string Mechanism = "SCRAM-SHA-256";
    private const int Iterations = 4096;
    private const int SaltBytes = 16;
    private const int HashBytes = 32;

    /// <summary>A new one, with a random salt.</summary>
    /// <exception cref="ArgumentException">The password has other characters than printable ASCII.</exception>
    public static string Make(Secret password) => Make(password, RandomNumberGenerator.GetBytes(SaltBytes), Iterations);

    /// <summary>Whether one was made of that password.</summary>
    public static bool IsOf(Secret password, string? verifier)
    {
        if (verifier?.Split('$') is not [Mechanism, var salted, _] || salted.Split(':') is not [var count, var salt]
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations) || iterations < 1)
            return false;
        return CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Make(password, Convert.FromBase64String(salt), iterations)), Encoding.ASCII.GetBytes(verifier));
    }

    private static string Make(Secret password, byte[] salt, int iterations)
    {
        var plain = password.Reveal();
        if (plain.Length == 0 || plain.Any(c => c is < ' ' or > '~'))
            throw new ArgumentException("A password of the database has printable ASCII characters only.", nameof(password));
        var salted = Rfc2898DeriveBytes.Pbkdf2(plain, salt, iterations, HashAlgorithmName.SHA256, HashBytes);
        var stored = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        var server = HMACSHA256.HashData(salted, "Server Key"u8);
        return $"{Mechanism}${iterations}:{Convert.ToBase64String(salt)}${Convert.ToBase64String(stored)}:{Convert.ToBase64String(server)}";
    }
}
