using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Groundcrew.Bedrock;

namespace Groundcrew.Postgres.OnNode;

/// <summary>
/// The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding: proves the password without sending it, and
/// has the server prove that it knows it too. The password is taken as it is, in UTF-8. For one login.
/// </summary>
internal sealed class Scram
{
    /// <summary>The mechanism's name.</summary>
    public const string Mechanism = "SCRAM-SHA-256";

    // PostgreSQL uses 4096; more than this would be a server that keeps us busy.
    private const int MostIterations = 1_000_000;
    private const string NoBinding = "n,,";
    private readonly Secret _password;
    private readonly string _nonce;
    private readonly string _bare;
    private byte[] _serverSignature = [];

    /// <summary>Begins one.</summary>
    /// <param name="password">The password.</param>
    /// <param name="user">The name in the first message; PostgreSQL uses that of the startup message instead.</param>
    /// <param name="nonce">Our share of the nonce; random when it is null.</param>
    public Scram(Secret password, string user = "", string? nonce = null)
    {
        _password = password;
        _nonce = nonce ?? Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
        _bare = $"n={user},r={_nonce}";
    }

    /// <summary>The first message.</summary>
    public string First => NoBinding + _bare;

    /// <summary>The second message, which proves the password, in answer to the server's first.</summary>
    /// <exception cref="WireException">The server's message is none.</exception>
    public string Prove(string serverFirst)
    {
        var fields = Fields(serverFirst);
        if (!fields.TryGetValue('r', out var nonce) || !nonce.StartsWith(_nonce, StringComparison.Ordinal) || nonce.Length == _nonce.Length
            || !fields.TryGetValue('s', out var salt64) || !TryBase64(salt64, out var salt)
            || !fields.TryGetValue('i', out var count)
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations) || iterations is < 1 or > MostIterations)
            throw new WireException("The server's answer in the login (SCRAM) is none.");
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(_password.Reveal()), salt, iterations, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
        var clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
        var last = $"c={Convert.ToBase64String(Encoding.ASCII.GetBytes(NoBinding))},r={nonce}";
        var all = Encoding.UTF8.GetBytes($"{_bare},{serverFirst},{last}");
        var proof = HMACSHA256.HashData(SHA256.HashData(clientKey), all);
        for (var i = 0; i < proof.Length; i++)
            proof[i] ^= clientKey[i];
        _serverSignature = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), all);
        return $"{last},p={Convert.ToBase64String(proof)}";
    }

    /// <summary>Checks that the server knows the password too.</summary>
    /// <exception cref="WireException">It does not: somebody else answers in its place.</exception>
    public void Check(string serverLast)
    {
        if (_serverSignature.Length == 0 || !Fields(serverLast).TryGetValue('v', out var value) || !TryBase64(value, out var signature)
            || !CryptographicOperations.FixedTimeEquals(signature, _serverSignature))
            throw new WireException("The server could not prove that it knows the password: something else answers in its place.");
    }

    private static Dictionary<char, string> Fields(string message)
    {
        var fields = new Dictionary<char, string>();
        foreach (var part in message.Split(','))
            if (part.Length >= 2 && part[1] == '=')
                fields.TryAdd(part[0], part[2..]);
        return fields;
    }

    private static bool TryBase64(string text, out byte[] bytes)
    {
        bytes = new byte[text.Length];
        var ok = Convert.TryFromBase64String(text, bytes, out var length);
        bytes = bytes[..length];
        return ok;
    }
}
